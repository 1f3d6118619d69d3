package job

import (
	"strings"
	"testing"
	"time"
)

func TestBudgetSpent(t *testing.T) {
	t.Parallel()
	seconds := Budget{GPUSeconds: 10}
	money := Budget{Money: 1, PricePerGPUHour: 2}
	share := Budget{FailureShare: 0.5}
	for _, tc := range []struct {
		budget        Budget
		device        time.Duration
		ended, failed int
		want          string // how it begins
	}{
		{Budget{}, time.Hour, 100, 100, ""},
		{seconds, 9999 * time.Millisecond, 0, 0, ""},
		{seconds, 10 * time.Second, 0, 0, "budget.gpu_seconds: 10 of 10 s"},
		{money, 29 * time.Minute, 0, 0, ""},
		{money, 30 * time.Minute, 0, 0, "budget.money: 1 of 1 is spent (1800 GPU seconds)"},
		{Budget{GPUSeconds: 10, Money: 1, PricePerGPUHour: 3600}, 2 * time.Second, 0, 0, "budget.money: 2 of 1"},
		{share, 0, 19, 19, ""},
		{share, 0, 20, 10, ""},
		{share, 0, 20, 11, "budget.failure_share: 11 of 20 records failed"},
	} {
		got := tc.budget.Spent(tc.device, tc.ended, tc.failed)
		if (tc.want == "") != (got == "") || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%+v after %v, %d of %d failed: %q, want %q", tc.budget, tc.device, tc.failed, tc.ended, got, tc.want)
		}
	}
}

func TestBudgetDevice(t *testing.T) {
	t.Parallel()
	for budget, want := range map[Budget]time.Duration{
		{}:                             0,
		{GPUSeconds: 90}:               90 * time.Second,
		{Money: 1, PricePerGPUHour: 2}: 30 * time.Minute,
		{GPUSeconds: 60, Money: 1, PricePerGPUHour: 2}:   time.Minute,
		{GPUSeconds: 7200, Money: 1, PricePerGPUHour: 2}: 30 * time.Minute,
	} {
		if got := budget.Device(); got != want {
			t.Errorf("%+v: %v, want %v", budget, got, want)
		}
	}
}

func TestBudgetIsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		budget Budget
		want   string
	}{
		{Budget{GPUSeconds: -1}, "budget.gpu_seconds: -1"},
		{Budget{Money: 3}, "budget.money: 3: say what a GPU costs"},
		{Budget{Money: 3, PricePerGPUHour: -2}, "budget.price_per_gpu_hour: -2"},
		{Budget{FailureShare: 1.5}, "budget.failure_share: 1.5"},
	} {
		if err := tc.budget.Validate(); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.budget, err, tc.want)
		}
	}
}

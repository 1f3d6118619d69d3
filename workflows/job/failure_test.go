package job_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code      job.Code
		kind      job.Kind
		retryable bool
	}{
		{job.InputTimeout, job.KindInput, false},
		{job.InputUnreachable, job.KindInput, true},
		{job.CapacityDisk, job.KindCapacity, true},
		{job.ModelPoison, job.KindModel, false},
		{job.InternalLost, job.KindInternal, true},
	}
	for _, tt := range tests {
		f := job.Fail(job.StageDecode, tt.code, "clip %d", 3)
		if f.Kind != tt.kind || f.Retryable != tt.retryable || f.Detail != "clip 3" {
			t.Errorf("Fail(%s) = %+v", tt.code, f)
		}
	}
}

func TestAsFailure(t *testing.T) {
	t.Parallel()
	f := job.Fail(job.StageDecode, job.InputEmpty, "0 bytes")
	if got := job.AsFailure(job.StagePrune, fmt.Errorf("outer: %w", f)); got != f {
		t.Errorf("AsFailure lost the failure: %v", got)
	}
	got := job.AsFailure(job.StagePrune, errors.New("boom"))
	if got.Code != job.InternalError || got.Stage != job.StagePrune || got.Detail != "boom" {
		t.Errorf("AsFailure of a plain error = %+v", got)
	}
}

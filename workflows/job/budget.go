package job

import (
	"cmp"
	"fmt"
	"time"
)

// Budget pauses a job once a bound is reached. Zero is no bound.
//
// GPU seconds are what winnow-infer's device ran for the job: a GPU, or the CPU of
// a winnow-infer without one. What ran for several requests is shared out among them.
type Budget struct {
	GPUSeconds      float64 `json:"gpu_seconds,omitempty" yaml:"gpu_seconds,omitempty"`
	Money           float64 `json:"money,omitempty" yaml:"money,omitempty"`                           // GPU hours times their price, in any currency
	PricePerGPUHour float64 `json:"price_per_gpu_hour,omitempty" yaml:"price_per_gpu_hour,omitempty"` // required with money
	FailureShare    float64 `json:"failure_share,omitempty" yaml:"failure_share,omitempty"`           // 0..1 of the records so far, once there are 20
}

// enoughToJudge is how many records have to have ended before their failures are a share.
const enoughToJudge = 20

// Validate names the field that cannot be.
func (b Budget) Validate() error {
	return first(
		check(within(b.GPUSeconds, 0, 1e12), "budget.gpu_seconds", "%g: want 0 (no bound) or more", b.GPUSeconds),
		check(within(b.Money, 0, 1e12), "budget.money", "%g: want 0 (no bound) or more", b.Money),
		check(within(b.PricePerGPUHour, 0, 1e12), "budget.price_per_gpu_hour", "%g: want 0 or more", b.PricePerGPUHour),
		check(b.Money == 0 || b.PricePerGPUHour > 0, "budget.money", "%g: say what a GPU costs as well, in budget.price_per_gpu_hour", b.Money),
		check(within(b.FailureShare, 0, 1), "budget.failure_share", "%g: want 0 to 1", b.FailureShare),
	)
}

// Device is how long devices may run for the job; 0 is without end.
func (b Budget) Device() time.Duration {
	most := b.GPUSeconds
	if b.Money > 0 {
		worth := b.Money / b.PricePerGPUHour * time.Hour.Seconds()
		most = min(cmp.Or(most, worth), worth)
	}
	return time.Duration(most * float64(time.Second))
}

// Cost is what device time costs; 0 without a price.
func (b Budget) Cost(device time.Duration) float64 { return device.Hours() * b.PricePerGPUHour }

// Failing says whether so many failures of what ended are too many.
func (b Budget) Failing(ended, failed int) bool {
	return b.FailureShare > 0 && ended >= enoughToJudge && float64(failed) > b.FailureShare*float64(ended)
}

// Spent says which bound is reached, and with what; empty where none is.
func (b Budget) Spent(device time.Duration, ended, failed int) string {
	switch {
	case b.GPUSeconds > 0 && device.Seconds() >= b.GPUSeconds:
		return fmt.Sprintf("budget.gpu_seconds: %.4g of %.4g s are spent", device.Seconds(), b.GPUSeconds)
	case b.Money > 0 && b.Cost(device) >= b.Money:
		return fmt.Sprintf("budget.money: %.4g of %.4g is spent (%.4g GPU seconds)", b.Cost(device), b.Money, device.Seconds())
	case b.Failing(ended, failed):
		return fmt.Sprintf("budget.failure_share: %d of %d records failed, more than a share of %g", failed, ended, b.FailureShare)
	}
	return ""
}

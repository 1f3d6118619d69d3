package onnx

import (
	"runtime"
	"testing"

	"github.com/winnow-video/winnow/infer/device"
)

func TestLeaveCores(t *testing.T) {
	for _, c := range []struct {
		device   device.Provider
		variable string
		want     int
	}{
		{device.CPU, "", 1},
		{device.CPU, "3", 3},
		{device.CUDA, "", 3},
	} {
		before := runtime.GOMAXPROCS(3)
		t.Setenv("GOMAXPROCS", c.variable)
		(&Engine{device: device.Device{Provider: c.device}}).LeaveCores()
		if got := runtime.GOMAXPROCS(before); got != c.want {
			t.Errorf("on %s with GOMAXPROCS=%q: %d cores for Go, want %d", c.device, c.variable, got, c.want)
		}
	}
}

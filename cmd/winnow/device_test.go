package main

import (
	"testing"

	"github.com/spf13/pflag"
)

func parseDevices(t *testing.T, args ...string) devices {
	t.Helper()
	var on devices
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	on.bind(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return on
}

// A stack that `winnow run` starts computes where `winnow run` was told to.
func TestDevicesAreHandedOn(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--device", "cuda:1"}, {"--hwaccel", "cuda", "--device", "tensorrt:0"}, {"--max-batch", "4", "--max-rows", "1000", "--max-wait", "5ms"}} {
		on := parseDevices(t, args...)
		if handed := parseDevices(t, on.args()...); handed != on {
			t.Errorf("%v: handed on as %v", args, on.args())
		}
		if unheard := on.unheard(); len(unheard) != len(args)/2 {
			t.Errorf("%v: a running stack would not hear %v", args, unheard)
		}
	}
}

package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestHwaccelIsReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, want := range Hwaccels() {
		var got Hwaccel
		if err := got.Set(want.String()); err != nil || got != want {
			t.Errorf("%s was read as %s: %v", want, got, err)
		}
	}
	kept := HwaccelCUDA
	for _, unknown := range []string{"", "CUDA", "nvdec", "cuda,vaapi"} {
		if err := kept.Set(unknown); err == nil || !strings.Contains(err.Error(), "want auto, none, cuda, vaapi") || kept != HwaccelCUDA {
			t.Errorf("%q: %v, and the choice is %s", unknown, err, kept)
		}
	}
}

func TestDevicesAreTriedInOrder(t *testing.T) {
	t.Parallel()
	for choice, want := range map[Hwaccel][]Hwaccel{
		HwaccelNone: nil, HwaccelAuto: {HwaccelCUDA, HwaccelVAAPI}, HwaccelCUDA: {HwaccelCUDA}, HwaccelVAAPI: {HwaccelVAAPI},
	} {
		if diff := cmp.Diff(want, choice.Devices()); diff != "" {
			t.Errorf("%s: %s", choice, diff)
		}
	}
}

// Software keeps to its limit; a device's driver takes room of its own.
func TestMemoryBound(t *testing.T) {
	t.Parallel()
	limits := job.Limits{Memory: 100}
	if got := (Request{Limits: limits, Hwaccel: HwaccelNone}).MemoryBound(); got != 100 {
		t.Errorf("none: %d bytes", got)
	}
	if got := (Request{Limits: limits, Hwaccel: HwaccelAuto}).MemoryBound(); got != 100+HwaccelMemory {
		t.Errorf("auto: %d bytes", got)
	}
}

// What a clip says of its device is read as written, and costs other clips no byte.
func TestInfoTellsTheDevice(t *testing.T) {
	t.Parallel()
	want := smallInfo()
	for _, key := range []string{"hwaccel", "hwaccel_fallback"} {
		if _, ok := want.Metadata()[key]; ok {
			t.Errorf("a clip made in software has %s", key)
		}
	}
	want.Hwaccel, want.HwaccelFallback = HwaccelVAAPI, "cuda: no device"
	got, err := ParseInfo(want.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

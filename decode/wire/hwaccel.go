package wire

import (
	"fmt"
	"slices"
	"strings"
)

// Hwaccel names what decodes.
type Hwaccel string

// The choices. Whatever is asked for, a clip that no device can make is made in software.
const (
	HwaccelNone  Hwaccel = "none"  // software, whose clips are bit for bit the same on every machine
	HwaccelAuto  Hwaccel = "auto"  // the first of Devices that can
	HwaccelCUDA  Hwaccel = "cuda"  // NVDEC
	HwaccelVAAPI Hwaccel = "vaapi" // Intel's and AMD's
)

// HwaccelMemory is what a device's driver may take in the decoder process beside Limits.Memory, bytes.
const HwaccelMemory = 4 << 30

// Hwaccels lists the choices, in the order documentation shows them.
func Hwaccels() []Hwaccel { return []Hwaccel{HwaccelAuto, HwaccelNone, HwaccelCUDA, HwaccelVAAPI} }

// Devices are the kinds of device to try, in this order; none for software.
func (h Hwaccel) Devices() []Hwaccel {
	switch h {
	case HwaccelAuto:
		return []Hwaccel{HwaccelCUDA, HwaccelVAAPI}
	case HwaccelCUDA, HwaccelVAAPI:
		return []Hwaccel{h}
	}
	return nil
}

// Validate refuses what is not one of Hwaccels.
func (h Hwaccel) Validate() error {
	if slices.Contains(Hwaccels(), h) {
		return nil
	}
	names := make([]string, len(Hwaccels()))
	for i, known := range Hwaccels() {
		names[i] = string(known)
	}
	return fmt.Errorf("hwaccel: %q: want %s", string(h), strings.Join(names, ", "))
}

// String implements flag.Value.
func (h Hwaccel) String() string { return string(h) }

// Set implements flag.Value.
func (h *Hwaccel) Set(text string) error {
	if err := Hwaccel(text).Validate(); err != nil {
		return err
	}
	*h = Hwaccel(text)
	return nil
}

// Type is what help shows as a flag's value.
func (Hwaccel) Type() string { return "device" }

// MemoryBound is what the process that answers r may hold, bytes.
func (r Request) MemoryBound() int64 {
	if len(r.Hwaccel.Devices()) == 0 {
		return r.Limits.Memory
	}
	return r.Limits.Memory + HwaccelMemory
}

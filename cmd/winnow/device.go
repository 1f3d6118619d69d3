package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/device"
)

// deviceHelp ends the help of commands that have --device.
const deviceHelp = `--device is where winnow-infer encodes: cpu, cuda:N or tensorrt:N. Tokens of another device are
other tokens, so it is part of their key: give every winnow-infer and every worker of a stack the
same. A winnow-infer that has another refuses to encode, and says so.`

// inferDevice is a device that was decided on: auto is winnow-infer's to
// decide, and too late for keys.
type inferDevice struct{ device.Device }

// Set implements pflag.Value.
func (d *inferDevice) Set(text string) error {
	parsed, err := device.Parse(text)
	if err != nil || parsed.Provider == device.Auto {
		return fmt.Errorf("%q: want cpu, cuda:N or tensorrt:N", text)
	}
	d.Device = parsed
	return nil
}

func bindDevice(set *pflag.FlagSet, d *inferDevice) {
	d.Provider = device.CPU
	set.Var(d, "device", "what winnow-infer encodes on: cpu, cuda:N, tensorrt:N")
}

// devices are what a stack decodes and encodes on, and in which batches it answers.
type devices struct {
	decode  wire.Hwaccel
	encode  inferDevice
	batches batching
}

func (d *devices) bind(set *pflag.FlagSet) {
	bindHwaccel(set, &d.decode)
	bindDevice(set, &d.encode)
	d.batches.bind(set)
}

// inferArgs are the flags of a winnow-infer that is started.
func (d devices) inferArgs() []string {
	return append([]string{"--device", d.encode.String()}, d.batches.args()...)
}

// args are the flags of `winnow up` that say the same.
func (d devices) args() []string {
	return append([]string{"--hwaccel", d.decode.String()}, d.inferArgs()...)
}

// unheard are the flags that a stack which runs already does not hear: those
// that are not as `winnow up` has them of itself.
func (d devices) unheard() []string {
	var told []string
	if d.decode != wire.HwaccelNone {
		told = append(told, "--hwaccel "+d.decode.String())
	}
	if d.encode.Provider != device.CPU {
		told = append(told, "--device "+d.encode.String())
	}
	for flag := range slices.Chunk(d.batches.args(), 2) {
		told = append(told, strings.Join(flag, " "))
	}
	return told
}

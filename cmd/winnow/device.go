package main

import (
	"fmt"

	"github.com/spf13/pflag"

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

package main

import (
	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/decode/wire"
)

// hwaccelHelp ends the help of commands that have --hwaccel.
const hwaccelHelp = `--hwaccel has a device decode: cuda (NVDEC), vaapi, or auto, the first of them that can. What no
device here can decode is decoded in software, and the reason told. Every video opens the device
anew, so it pays for long or large ones. The default, none, is software: a clip is the same bit
for bit on every machine, and FFmpeg tells of damage inside a frame, which a device may conceal.
With a device, a decoder may hold 4 GiB for the driver beside --decode-memory.`

func bindHwaccel(set *pflag.FlagSet, h *wire.Hwaccel) {
	*h = wire.HwaccelNone
	set.Var(h, "hwaccel", "what decodes: auto, none (software), cuda, vaapi")
}

package workers

import (
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows"
)

// clipDecoder is the decoder as clips' keys have it. A device's clips have keys of
// their own: nothing promises that its pixels are those of software on every machine.
// Clips that had to be made in software are found under them too.
func (s *stages) clipDecoder() string {
	if len(s.cfg.Hwaccel.Devices()) == 0 {
		return s.decoderBuild
	}
	return s.decoderBuild + "+hwaccel-" + string(s.cfg.Hwaccel)
}

// hwaccelFor is this worker's choice if the clip's key was made for it, else software:
// the worker that located the video may have made another one.
func (s *stages) hwaccelFor(in workflows.StageInput, w *work) wire.Hwaccel {
	if len(s.cfg.Hwaccel.Devices()) == 0 {
		return wire.HwaccelNone
	}
	ours := sharedKeys(in.Source, w.items[0].item, w.spec, w.bundle, s.clipDecoder(), s.cfg.Encoder)
	if ours.Clip == in.Clip {
		return s.cfg.Hwaccel
	}
	s.cfg.Logger.Warn("decoding in software: the worker that located the video has another hwaccel",
		"video", source.Redacted(w.items[0].item.Video), "hwaccel", s.cfg.Hwaccel)
	return wire.HwaccelNone
}

// logHwaccel says why a clip was not decoded as asked.
func (s *stages) logHwaccel(w *work, info wire.Info) {
	if info.HwaccelFallback == "" {
		return
	}
	by := "software"
	if info.Hwaccel != "" {
		by = string(info.Hwaccel)
	}
	s.cfg.Logger.Warn("the device asked for did not decode",
		"video", source.Redacted(w.items[0].item.Video), "decoded_by", by, "reason", info.HwaccelFallback)
}

package workers

import (
	"context"
	"time"

	"github.com/winnow-video/winnow/infer/device"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// encode has winnow-infer make the tokens [T,P,D] of a clip. Where frames are
// shown as images there is nothing to encode: a token stands for each of them.
func (s *stages) encode(ctx context.Context, in workflows.StageInput) (workflows.Spent, error) {
	began := time.Now()
	w, err := s.workOf(ctx, in)
	if err != nil {
		return workflows.Spent{}, err
	}
	request := bus.Request{V: bus.Version, Bundle: in.Bundle, Out: in.Tokens, Encode: encodeRequest(w, s.cfg.Encoder.Precision)}
	var device time.Duration
	if w.bundle.Pictures() {
		err = s.standIn(ctx, in)
	} else {
		asking := s.calls.begin(ctx, in.Bundle, 1)
		device, err = s.ask(ctx, asking, w, request, in.Clip)
		asking.done()
	}
	if err != nil {
		s.failed(in.VideoInput, job.StageEncode, err)
		return workflows.Spent{}, err
	}
	s.tellStage(in.VideoInput, job.StageEncode, 1, 0, 0)
	took := spent(ctx, began)
	took.DeviceUS = device.Microseconds()
	return took, nil
}

// encodeRequest names the provider that the tokens' key was made for: the worker
// that located the video may have another device than this one.
func encodeRequest(w *work, precision string) *bus.EncodeRequest {
	r := &bus.EncodeRequest{Clip: w.in.Clip}
	for _, p := range device.Providers() {
		if tokensKey(w.in.Clip, w.bundle, Encoder{Provider: p, Precision: precision}) == w.in.Tokens {
			r.Provider = string(p)
		}
	}
	return r
}

// ask makes a request, once there is room for it, waits for its end, and returns
// what a device ran for it. Where it failed because its input is gone, that is the error.
func (s *stages) ask(ctx context.Context, asking *asking, w *work, r bus.Request, input artifact.Key) (device time.Duration, err error) {
	err = asking.request(ctx, func() error {
		if s.cfg.Serve != nil {
			if err := s.cfg.Serve(ctx, w.spec.Bundle); err != nil {
				return job.Fail(r.Stage(), job.CapacityNoWorker, "%v", err)
			}
		}
		made, err := s.cfg.Bus.Await(ctx, s.cfg.Store, r, w.spec.Priority, func() {})
		device = made.Device
		if err == nil {
			return nil
		}
		if there, lookErr := s.has(ctx, input); lookErr == nil && !there {
			return &missing{input}
		}
		return &settled{err}
	})
	return device, err
}

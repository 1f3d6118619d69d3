package main

import (
	"math/rand/v2"
	"time"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
)

// batch is how many frames the tower reads at a time.
const batch = 8

// vision encodes a clip of one batch.
type vision struct {
	encoder *infer.Encoder
	clip    *tensor.File
}

func newVision(engine infer.Engine, b *bundle.Bundle) (*vision, error) {
	encoder, err := infer.NewEncoder(engine, b)
	if err != nil {
		return nil, err
	}
	frames := tensor.New[uint8](batch, b.Image.Size, b.Image.Size, 3)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range frames.Data {
		frames.Data[i] = uint8(random.Uint32())
	}
	v := &vision{encoder: encoder, clip: &tensor.File{}}
	tensor.Put(v.clip, "frames", frames)
	return v, nil
}

func (v *vision) close() error { return v.encoder.Close() }

// turn's first batch does not count: others had the caches.
func (v *vision) turn(length time.Duration) (figures, error) {
	if _, err := v.encoder.Encode(v.clip); err != nil {
		return nil, err
	}
	var samples []time.Duration
	for until := time.Now().Add(length); time.Now().Before(until); {
		began := time.Now()
		if _, err := v.encoder.Encode(v.clip); err != nil {
			return nil, err
		}
		samples = append(samples, time.Since(began))
	}
	return figures{"frames/s": batch / median(samples).Seconds()}, nil
}

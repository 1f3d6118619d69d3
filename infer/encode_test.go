package infer

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// tower is a graph in Go: one token a frame, of its first pixel's red.
type tower struct {
	shapes [][]int // of the batches it was given
	turn   func(red uint8) tensor.Float16
	err    error
}

func (w *tower) Close() error { return nil }

func (w *tower) Run(in, out *tensor.File) error {
	pixels, err1 := tensor.Get[uint8](in, "pixels")
	tokens, err2 := tensor.Get[tensor.Float16](out, "tokens")
	if err := errors.Join(w.err, err1, err2); err != nil {
		return err
	}
	w.shapes = append(w.shapes, pixels.Shape)
	for i := range tokens.Data {
		tokens.Data[i] = w.turn(pixels.Row(i)[0])
	}
	return nil
}

// numbered is a clip of 1×1 frames, the i-th of red i+1.
func numbered(n int) *tensor.File {
	frames := tensor.New[uint8](n, 1, 1, 3)
	for i := range n {
		frames.Row(i)[0] = uint8(i + 1)
	}
	f := &tensor.File{}
	tensor.Put(f, "frames", frames)
	return f
}

func TestEncodeBatches(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{1: {1}, 2: {2}, 3: {4}, 8: {8}, 9: {8, 1}, 13: {8, 8}, 19: {8, 8, 4}} {
		w := &tower{turn: func(red uint8) tensor.Float16 { return tensor.ToFloat16(float32(red)) }}
		e := &Encoder{tower: w, size: 1, tokens: 1, width: 1}
		out, err := e.Encode(numbered(n))
		if err != nil {
			t.Fatal(err)
		}
		var batches []int
		for _, shape := range w.shapes {
			batches = append(batches, shape[0])
		}
		if diff := cmp.Diff(want, batches); diff != "" {
			t.Errorf("%d frames: batches (-want +got):\n%s", n, diff)
		}
		tokens, err := tensor.Floats(out, "tokens")
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range tokens.Data {
			if x != float32(i+1) {
				t.Errorf("%d frames: number %d has the tokens of %v", n, i, x-1)
			}
		}
	}
}

func TestEncodeFails(t *testing.T) {
	t.Parallel()
	const infinite = 0x7c00
	ok := func(uint8) tensor.Float16 { return 0 }
	for want, w := range map[job.Code]*tower{
		job.ModelError:     {turn: ok, err: errors.New("refused")},
		job.CapacityMemory: {turn: ok, err: fmt.Errorf("%w: 8 GB", ErrMemory)},
		job.ModelNotFinite: {turn: func(red uint8) tensor.Float16 { return infinite * tensor.Float16(red/10) }},
	} {
		e := &Encoder{tower: w, size: 1, tokens: 1, width: 1}
		_, err := e.Encode(numbered(10)) // the tenth frame is the one of red 10
		if err == nil || job.AsFailure(job.StageEncode, err).Code != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// What the tower makes of padding is nobody's.
func TestEncodeIgnoresPadding(t *testing.T) {
	t.Parallel()
	w := &tower{turn: func(red uint8) tensor.Float16 {
		if red == 0 {
			return 0x7e00 // NaN
		}
		return 0
	}}
	e := &Encoder{tower: w, size: 1, tokens: 1, width: 1}
	if _, err := e.Encode(numbered(3)); err != nil {
		t.Error(err)
	}
}

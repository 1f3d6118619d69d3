// Package infer turns requests of the queue into objects of the store: clips
// into tokens (Encoder), questions and kept tokens into replies (Answerer).
// Server takes the requests, batches them and tells their end.
//
// Prompts about one clip that begin alike are read once to where they part, see
// Decoder; what it holds for that is bounded.
//
// Graphs run behind the Graph interface, which infer/onnx implements; the
// language model stands behind Language. Pictures answers without graphs, by a
// server that is shown whole frames. infer/bundle knows the model,
// infer/tensor the formats, workflows/bus the queue. Shapes: T frames, H W
// pixels, P tokens a frame, D vision width, E language width, L prompt length,
// B batch, V vocabulary, S past length.
package infer

import (
	"errors"
	"fmt"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Graph is one loaded graph of a bundle. It may be run from several goroutines.
type Graph interface {
	// Run computes the graph's named outputs from its named inputs. Outputs that
	// are in out are written there, as all f16 ones have to be; others, of f32,
	// are added. No memory is kept. ErrMemory.
	Run(in, out *tensor.File) error
	// Close frees the graph. Nothing may run in it any more.
	Close() error
}

// Engine loads graphs.
type Engine interface {
	// Name is what records call the engine, with version and device.
	Name() string
	// Load loads the ONNX graph in a file.
	Load(path string) (Graph, error)
}

// ErrMemory is the error of a graph that found too little memory on its device.
var ErrMemory = errors.New("too little memory")

// ran is the failure of a graph's run.
func ran(stage job.Stage, err error) *job.Failure {
	code := job.ModelError
	if errors.Is(err, ErrMemory) {
		code = job.CapacityMemory
	}
	return job.Fail(stage, code, "%v", err)
}

// contract is the failure of shapes or counts that are not as planned.
func contract(stage job.Stage, format string, args ...any) *job.Failure {
	return job.Fail(stage, job.ModelContract, "%s", fmt.Sprintf(format, args...))
}

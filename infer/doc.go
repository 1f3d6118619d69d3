// Package infer turns requests of the queue into objects of the store: clips
// into tokens (Encoder), questions and kept tokens into replies (Answerer), and
// Server pulls, batches and finishes them.
//
// Graphs run behind the Graph interface; infer/onnx is the one engine so far.
// infer/bundle knows the model, infer/tensor the formats. Shapes: T frames, H W
// pixels, P tokens a frame, D vision width, E language width, L prompt length, B
// batch, V vocabulary, S past length.
package infer

import "github.com/winnow-video/winnow/infer/tensor"

// Graph is one loaded graph of a bundle. It may be run from several goroutines.
type Graph interface {
	// Run takes the graph's named inputs and returns its named outputs. The
	// inputs' memory is not kept; the outputs are the caller's.
	Run(in *tensor.File) (*tensor.File, error)
}

// Engine loads graphs.
type Engine interface {
	// Name is what records call the engine, with version and device.
	Name() string
	// Load loads the ONNX graph in a file.
	Load(path string) (Graph, error)
}

package onnx

import (
	"fmt"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/tensor"
)

// graph is one session.
type graph struct {
	path            string
	inputs, outputs []string
	session         *ort.DynamicAdvancedSession
}

// Run implements infer.Graph. Inputs and given outputs are lent to the runtime,
// not copied; other outputs the binding copies once, into Go's memory. What C
// holds is freed before Run returns.
func (g *graph) Run(in, out *tensor.File) error {
	inputs := make([]ort.Value, len(g.inputs))
	defer destroy(inputs)
	for i, name := range g.inputs {
		t, given := in.Tensors[name]
		if !given {
			return fmt.Errorf("%s: input %q is missing", g.path, name)
		}
		if err := lend(&inputs[i], t); err != nil {
			return fmt.Errorf("%s: input %q: %w", g.path, name, err)
		}
	}
	outputs := make([]ort.Value, len(g.outputs))
	defer destroy(outputs)
	for i, name := range g.outputs {
		if t, given := out.Tensors[name]; given {
			if err := lend(&outputs[i], t); err != nil {
				return fmt.Errorf("%s: output %q: %w", g.path, name, err)
			}
		}
	}
	if err := g.session.Run(inputs, outputs); err != nil {
		discardFailed(outputs)
		return fmt.Errorf("%s: %w", g.path, classify(err))
	}
	return g.take(outputs, out)
}

// classify marks what ONNX Runtime says of its allocators. It has no code for it.
func classify(err error) error {
	for _, said := range []string{"Failed to allocate memory", "bad_alloc", "out of memory"} {
		if strings.Contains(err.Error(), said) {
			return fmt.Errorf("%w: %w", infer.ErrMemory, err)
		}
	}
	return err
}

// Close implements infer.Graph.
func (g *graph) Close() error { return g.session.Destroy() }

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}

// discardFailed drops the output whose conversion failed: the binding leaves a
// nil pointer of some type there, which is no nil interface.
func discardFailed(values []ort.Value) {
	for i, v := range values {
		switch v := v.(type) {
		case *ort.CustomDataTensor:
			if v == nil {
				values[i] = nil
			}
		case *ort.Tensor[float32]:
			if v == nil {
				values[i] = nil
			}
		}
	}
}

// lend makes a tensor's memory the runtime's for one run.
func lend(to *ort.Value, t tensor.Tensor) error {
	kind := kindOf(t.DType)
	if kind == ort.TensorElementDataTypeUndefined {
		return fmt.Errorf("elements of type %s cannot be passed", t.DType)
	}
	shape := make(ort.Shape, len(t.Shape))
	for i, n := range t.Shape {
		shape[i] = int64(n)
	}
	data := t.Bytes
	if len(data) == 0 {
		data = []byte{0} // an empty past still needs an address
	}
	value, err := ort.NewCustomDataTensor(shape, data, kind)
	if err != nil {
		return err
	}
	*to = value
	return nil
}

// kindOf is an element type of bundles' graphs.
func kindOf(t tensor.DType) ort.TensorElementDataType {
	switch t {
	case tensor.U8:
		return ort.TensorElementDataTypeUint8
	case tensor.F16:
		return ort.TensorElementDataTypeFloat16
	case tensor.F32:
		return ort.TensorElementDataTypeFloat
	case tensor.I64:
		return ort.TensorElementDataTypeInt64
	}
	return ort.TensorElementDataTypeUndefined
}

// take adds the outputs that were not given. Their memory is Go's and outlives the values.
func (g *graph) take(values []ort.Value, out *tensor.File) error {
	for i, v := range values {
		name := g.outputs[i]
		if _, given := out.Tensors[name]; given {
			continue
		}
		floats, ok := v.(*ort.Tensor[float32])
		if !ok {
			// Of f16 the binding (v1.27.0) copies half: it takes elements for bytes.
			return fmt.Errorf("%s: output %q is not f32: memory for it has to be given", g.path, name)
		}
		shape := make(tensor.Shape, len(floats.GetShape()))
		for j, n := range floats.GetShape() {
			shape[j] = int(n)
		}
		tensor.Put(out, name, tensor.Dense[float32]{Shape: shape, Data: floats.GetData()})
	}
	return nil
}

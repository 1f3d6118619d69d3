package onnx

import (
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnow-video/winnow/infer/tensor"
)

// graph is one session.
type graph struct {
	path            string
	inputs, outputs []string
	session         *ort.DynamicAdvancedSession
}

// Run implements infer.Graph. Inputs are lent to the runtime, not copied; the
// binding copies outputs once, into Go's memory.
func (g *graph) Run(in *tensor.File) (*tensor.File, error) {
	values := make([]ort.Value, len(g.inputs))
	defer destroy(values)
	for i, name := range g.inputs {
		t, given := in.Tensors[name]
		if !given {
			return nil, fmt.Errorf("%s: input %q is missing", g.path, name)
		}
		value, err := lend(t)
		if err != nil {
			return nil, fmt.Errorf("%s: input %q: %w", g.path, name, err)
		}
		values[i] = value
	}
	results := make([]ort.Value, len(g.outputs))
	defer func() { destroy(results) }()
	if err := g.session.Run(values, results); err != nil {
		return nil, fmt.Errorf("%s: %w", g.path, err)
	}
	return g.take(results)
}

// Close frees the session.
func (g *graph) Close() error { return g.session.Destroy() }

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}

// lend makes a tensor the runtime's for one run.
func lend(t tensor.Tensor) (ort.Value, error) {
	kind, known := kinds()[t.DType]
	if !known {
		return nil, fmt.Errorf("type %s cannot be an input", t.DType)
	}
	shape := make(ort.Shape, len(t.Shape))
	for i, n := range t.Shape {
		shape[i] = int64(n)
	}
	data := t.Bytes
	if len(data) == 0 {
		data = []byte{0} // an empty past still needs an address
	}
	return ort.NewCustomDataTensor(shape, data, kind)
}

// kinds are the element types of bundles' graphs.
func kinds() map[tensor.DType]ort.TensorElementDataType {
	return map[tensor.DType]ort.TensorElementDataType{
		tensor.U8:  ort.TensorElementDataTypeUint8,
		tensor.F16: ort.TensorElementDataTypeFloat16,
		tensor.F32: ort.TensorElementDataTypeFloat,
		tensor.I64: ort.TensorElementDataTypeInt64,
	}
}

// take names the outputs. Their memory is Go's and outlives the values.
func (g *graph) take(results []ort.Value) (*tensor.File, error) {
	out := &tensor.File{Tensors: map[string]tensor.Tensor{}}
	for i, v := range results {
		shape := make(tensor.Shape, len(v.GetShape()))
		for j, n := range v.GetShape() {
			shape[j] = int(n)
		}
		switch v := v.(type) {
		case *ort.Tensor[float32]:
			tensor.Put(out, g.outputs[i], tensor.Dense[float32]{Shape: shape, Data: v.GetData()})
		case *ort.CustomDataTensor: // of the types in use, f16 alone has no Go type
			out.Tensors[g.outputs[i]] = tensor.Tensor{DType: tensor.F16, Shape: shape, Bytes: v.GetData()}
		default:
			return nil, fmt.Errorf("%s: output %q has a type that is not read", g.path, g.outputs[i])
		}
	}
	return out, nil
}

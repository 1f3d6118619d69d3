package prune

import (
	"fmt"
	"strconv"

	"github.com/winnow-video/winnow/infer/tensor"
)

// SelectFile prunes a file's tokens: `winnow prune`. In holds visual_tokens
// [P,D] or [T,P,D], F16 or F32, and, for a method that depends on the query,
// text_query [E], F16 or F32. Out holds keep_idx I64 [M] (into T·P, ascending),
// kept_tokens [M,D] in the input's precision, frame I32 [M] and cell I32 [M],
// and the settings as metadata.
func SelectFile(in *tensor.File, o Options) (*tensor.File, error) {
	policy, err := New(o)
	if err != nil {
		return nil, err
	}
	var query []float32
	if policy.QueryDependent() {
		if query, err = readQuery(in); err != nil {
			return nil, fmt.Errorf("prune: method %s: %w", o.Method, err)
		}
	}
	out := &tensor.File{Metadata: o.metadata()}
	if in.Tensors["visual_tokens"].DType == tensor.F16 {
		err = selectInto[tensor.Float16](out, in, policy, query)
	} else {
		err = selectInto[float32](out, in, policy, query)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func readQuery(in *tensor.File) ([]float32, error) {
	query, err := tensor.Floats(in, "text_query")
	if err != nil {
		return nil, err
	}
	if len(query.Shape) != 1 {
		return nil, fmt.Errorf("tensor \"text_query\" has shape %v, want [E]", []int(query.Shape))
	}
	return query.Data, nil
}

// metadata is the settings as a file carries them.
func (o Options) metadata() map[string]string {
	return map[string]string{
		"method": o.Method,
		"keep":   strconv.FormatFloat(o.Keep, 'g', -1, 64),
		"alpha":  strconv.FormatFloat(o.Alpha, 'g', -1, 64),
		"tau":    strconv.FormatFloat(o.Tau, 'g', -1, 64),
		"scope":  string(o.Scope),
		"seed":   strconv.FormatUint(o.Seed, 10),
	}
}

// selectInto prunes visual_tokens of element type E and puts the outcome into out.
func selectInto[E float32 | tensor.Float16](out, in *tensor.File, policy Policy, query []float32) error {
	tokens, err := tensor.Get[E](in, "visual_tokens")
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if len(tokens.Shape) == 2 {
		tokens.Shape = append(tensor.Shape{1}, tokens.Shape...)
	}
	clip, err := NewClip(tokens)
	if err != nil {
		return err
	}
	selection, err := policy.Select(clip, query)
	if err != nil {
		return err
	}
	kept, err := Gather(tokens, selection)
	if err != nil {
		return err
	}
	m := len(selection.Kept)
	keepIdx, frame, cell := tensor.New[int64](m), tensor.New[int32](m), tensor.New[int32](m)
	for i, row := range selection.Rows() {
		keepIdx.Data[i] = int64(row)
		frame.Data[i], cell.Data[i] = int32(row/clip.P), int32(row%clip.P)
	}
	tensor.Put(out, "keep_idx", keepIdx)
	tensor.Put(out, "kept_tokens", kept)
	tensor.Put(out, "frame", frame)
	tensor.Put(out, "cell", cell)
	return nil
}

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
// and the settings as metadata. Of a method that merges (pool), keep_idx is where
// a kept token stands, and what it is made of is beside it: source_counts I32 [M],
// and source_rows I64 [S] (into T·P) with weights F32 [S], token by token. The
// selection behind it comes along.
func SelectFile(in *tensor.File, o Options) (*tensor.File, *Selection, error) {
	policy, err := New(o)
	if err != nil {
		return nil, nil, err
	}
	var query []float32
	if policy.QueryDependent() {
		if query, err = readQuery(in); err != nil {
			return nil, nil, fmt.Errorf("prune: method %s: %w", o.Method, err)
		}
	}
	var out *tensor.File
	var selection *Selection
	switch t := in.Tensors["visual_tokens"]; t.DType {
	case tensor.F16:
		out, selection, err = selectTokens[tensor.Float16](in, policy, query)
	case tensor.F32, "": // "" is absent, which Get puts in words
		out, selection, err = selectTokens[float32](in, policy, query)
	default:
		err = fmt.Errorf("prune: tensor \"visual_tokens\" is %s, want F16 or F32", t.DType)
	}
	if err != nil {
		return nil, nil, err
	}
	out.Metadata = o.metadata()
	return out, selection, nil
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
	m := map[string]string{
		"method": o.Method,
		"keep":   strconv.FormatFloat(o.Keep, 'g', -1, 64),
		"alpha":  strconv.FormatFloat(o.Alpha, 'g', -1, 64),
		"tau":    strconv.FormatFloat(o.Tau, 'g', -1, 64),
		"scope":  string(o.Scope),
		"seed":   strconv.FormatUint(o.Seed, 10),
	}
	if o.Grid != (Grid{}) {
		m["grid"] = o.Grid.String()
	}
	return m
}

// selectTokens prunes visual_tokens of element type E.
func selectTokens[E float32 | tensor.Float16](in *tensor.File, policy Policy, query []float32) (*tensor.File, *Selection, error) {
	tokens, err := tensor.Get[E](in, "visual_tokens")
	if err != nil {
		return nil, nil, fmt.Errorf("prune: %w", err)
	}
	if len(tokens.Shape) == 2 {
		tokens.Shape = append(tensor.Shape{1}, tokens.Shape...)
	}
	clip := &Clip{}
	if err := Open(clip, tokens); err != nil {
		return nil, nil, err
	}
	selection, err := policy.Select(clip, query)
	if err != nil {
		return nil, nil, err
	}
	kept, err := Gather(tokens, selection)
	if err != nil {
		return nil, nil, err
	}
	out := &tensor.File{}
	tensor.Put(out, "kept_tokens", kept)
	putPlaces(out, selection)
	if selection.merges() {
		putSources(out, selection)
	}
	return out, selection, nil
}

// putPlaces puts where the kept tokens stand.
func putPlaces(out *tensor.File, s *Selection) {
	m := len(s.Kept)
	keepIdx, frame, cell := tensor.New[int64](m), tensor.New[int32](m), tensor.New[int32](m)
	for i, k := range s.Kept {
		keepIdx.Data[i] = int64(k.Frame*s.P + k.Cell)
		frame.Data[i], cell.Data[i] = int32(k.Frame), int32(k.Cell)
	}
	tensor.Put(out, "keep_idx", keepIdx)
	tensor.Put(out, "frame", frame)
	tensor.Put(out, "cell", cell)
}

// putSources puts what the kept tokens are made of.
func putSources(out *tensor.File, s *Selection) {
	counts := tensor.New[int32](len(s.Kept))
	var rows []int64
	var weights []float32
	for i, k := range s.Kept {
		counts.Data[i] = int32(len(k.Sources))
		for _, source := range k.Sources {
			rows, weights = append(rows, int64(source.Row)), append(weights, source.Weight)
		}
	}
	shape := tensor.Shape{len(rows)}
	tensor.Put(out, "source_counts", counts)
	tensor.Put(out, "source_rows", tensor.Dense[int64]{Shape: shape, Data: rows})
	tensor.Put(out, "weights", tensor.Dense[float32]{Shape: shape, Data: weights})
}

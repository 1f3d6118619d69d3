package workers

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// keptFile makes the kept artifact: tokens F16 [M,D], frame, cell I32 [M] and
// relevance F32 [M] of each; index I64 and pts_s F64 [T] of all frames looked at.
// Where the model pools behind its projector, tokens are the tower's rows [R,D]
// that the kept ones are made of, and bundle.Mixture's tensors say how.
// For who wants to see what was pruned: relevance_all F32 [T,P], where the method
// looks at the question, and in the metadata the key of the clip and the grid.
func keptFile(c *clip, s *prune.Selection, p job.Pruning) (*tensor.File, error) {
	tokens, mixture, err := c.gather(s)
	if err != nil {
		return nil, err
	}
	m := len(s.Kept)
	frame, cell, relevance := tensor.New[int32](m), tensor.New[int32](m), tensor.New[float32](m)
	for i, k := range s.Kept {
		frame.Data[i], cell.Data[i] = int32(k.Frame), int32(k.Cell)
		if s.Relevance != nil {
			relevance.Data[i] = s.Relevance[k.Frame*s.P+k.Cell]
		}
	}
	f := &tensor.File{Metadata: keptMetadata(c, s, p), Tensors: map[string]tensor.Tensor{
		"index": c.file.Tensors["index"], "pts_s": c.file.Tensors["pts_s"],
	}}
	tensor.Put(f, "tokens", tokens)
	tensor.Put(f, "frame", frame)
	tensor.Put(f, "cell", cell)
	tensor.Put(f, "relevance", relevance)
	if mixture != nil {
		mixture.Put(f)
	}
	if s.Relevance != nil {
		tensor.Put(f, "relevance_all", tensor.Dense[float32]{Shape: tensor.Shape{s.T, s.P}, Data: s.Relevance})
	}
	return f, nil
}

func keptMetadata(c *clip, s *prune.Selection, p job.Pruning) map[string]string {
	m := maps.Clone(c.file.Metadata)
	if m == nil {
		m = map[string]string{}
	}
	m["clip"], m["grid"] = string(c.frames), c.grid.String()
	m["T"], m["P"] = strconv.Itoa(s.T), strconv.Itoa(s.P)
	m["method"], m["keep"] = p.Method, strconv.FormatFloat(p.Keep, 'g', -1, 64)
	return m
}

// kept is what records tell of a kept artifact.
type kept struct {
	frames   []job.Frame
	degraded []string // what the decoder had to leave out
}

// keptReaders reads every kept artifact of tasks once, when it is first asked
// for: where a policy does not look at the question, all questions share one.
func (s *stages) keptReaders(ctx context.Context, tasks []task) map[artifact.Key]func() (kept, error) {
	readers := map[artifact.Key]func() (kept, error){}
	for _, t := range tasks {
		if readers[t.kept] == nil {
			readers[t.kept] = sync.OnceValues(func() (kept, error) { return s.readKept(ctx, t.kept) })
		}
	}
	return readers
}

func (s *stages) readKept(ctx context.Context, key artifact.Key) (kept, error) {
	body, err := s.cfg.Store.Get(ctx, key)
	if err != nil {
		return kept{}, err
	}
	file, err := tensor.Decode(body)
	if err != nil {
		return kept{}, fmt.Errorf("%s: %w", key, err)
	}
	frames, err := framesOf(file)
	if err != nil {
		return kept{}, fmt.Errorf("%s: %w", key, err)
	}
	degraded := strings.FieldsFunc(file.Metadata["degraded"], func(r rune) bool { return r == ',' })
	return kept{frames, degraded}, nil
}

// framesOf counts a kept artifact's tokens by frame.
func framesOf(kept *tensor.File) ([]job.Frame, error) {
	index, err := tensor.Get[int64](kept, "index")
	if err != nil {
		return nil, err
	}
	pts, err := tensor.Get[float64](kept, "pts_s")
	if err != nil {
		return nil, err
	}
	var perFrame int
	if _, err := fmt.Sscan(kept.Metadata["P"], &perFrame); err != nil {
		return nil, fmt.Errorf("metadata P: %w", err)
	}
	if len(index.Data) != len(pts.Data) {
		return nil, fmt.Errorf("%d frame indices, %d times", len(index.Data), len(pts.Data))
	}
	frames := make([]job.Frame, len(pts.Data))
	for i := range frames {
		frames[i] = job.Frame{Index: int(index.Data[i]), PTS: pts.Data[i], Total: perFrame}
	}
	return frames, countKept(frames, kept)
}

// framesRead is frames with the tokens that `fit: trim` left of each; trimmed is
// nil where all kept ones were read.
func framesRead(frames []job.Frame, trimmed []int) ([]job.Frame, error) {
	if trimmed == nil {
		return frames, nil
	}
	if len(trimmed) != len(frames) {
		return nil, job.Fail(job.StageRecord, job.ModelContract, "the prompt was trimmed to rows of %d frames, and %d were looked at", len(trimmed), len(frames))
	}
	read := slices.Clone(frames)
	for i, n := range trimmed {
		read[i].Kept = n
	}
	return read, nil
}

func countKept(frames []job.Frame, kept *tensor.File) error {
	frame, err := tensor.Get[int32](kept, "frame")
	if err != nil {
		return err
	}
	relevance, err := tensor.Get[float32](kept, "relevance")
	if err != nil {
		return err
	}
	for i, f := range frame.Data {
		if int(f) >= len(frames) || f < 0 || i >= len(relevance.Data) {
			return fmt.Errorf("token %d of frame %d, but the clip has %d", i, f, len(frames))
		}
		at := &frames[f]
		rel := float64(relevance.Data[i])
		if at.Kept++; at.Kept == 1 {
			at.Relevance = rel
		}
		at.Relevance = math.Max(at.Relevance, rel)
	}
	return nil
}

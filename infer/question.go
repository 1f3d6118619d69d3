package infer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Question is one item with what was kept of its clip: what an Answerer reads.
type Question struct {
	Item     job.Item
	Generate job.Generation
	Fit      job.Fit

	tokens   tensor.Dense[tensor.Float16] // [M,D]; [R,D] of a mixture
	mixture  *bundle.Mixture              // of the kept tokens; nil: each is one of tokens
	cells    [][]int32                    // of each frame's rows, [T]; nil if the artifact does not tell
	kept     []int                        // rows of each frame, [T]
	times    []float64                    // [T], seconds
	duration float64                      // seconds; 0 if unknown
	total    int                          // T·P
	shared   bool                         // other questions about the clip have the same kept tokens
	pictures tensor.Dense[uint8]          // [T,H,W,3]; of a model that is shown frames alone
	plan     *bundle.Prompt               // of the prompt with all kept tokens, once its rows were counted

	projection *projection // of tokens, until this question has it; nil: it shares none
}

// NewQuestion reads a kept artifact: tokens F16 [M,D], frame and cell I32 [M]
// ascending, pts_s F64 [T], metadata T and P. Where the model pools behind its
// projector, tokens are those of the tower that the kept ones are made of, [R,D],
// and a mixture says how.
func NewQuestion(item job.Item, generate job.Generation, fit job.Fit, kept *tensor.File) (*Question, error) {
	q := &Question{Item: item, Generate: generate, Fit: fit}
	var err error
	if q.tokens, err = tensor.Get[tensor.Float16](kept, "tokens"); err != nil {
		return nil, contract(job.StageAnswer, "kept: %v", err)
	}
	frame, err1 := tensor.Get[int32](kept, "frame")
	pts, err2 := tensor.Get[float64](kept, "pts_s")
	frames, err3 := strconv.Atoi(kept.Metadata["T"])
	cells, err4 := strconv.Atoi(kept.Metadata["P"])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, contract(job.StageAnswer, "kept: %v", err)
	}
	q.times, q.total = pts.Data, frames*cells
	q.shared = !byQuestion(kept) || len(frame.Data) == q.total
	q.duration, _ = strconv.ParseFloat(kept.Metadata["duration_s"], 64) // a container may not tell
	q.kept, err = perFrame(frame.Data, frames)
	if err == nil && len(pts.Data) != frames {
		err = fmt.Errorf("%d times of %d frames", len(pts.Data), frames)
	}
	if err := errors.Join(err, q.readRows(kept, len(frame.Data))); err != nil {
		return nil, contract(job.StageAnswer, "kept: %v", err)
	}
	return q, nil
}

// byQuestion says whether a kept artifact was chosen by the question: one that
// was holds the relevance of all tokens.
func byQuestion(kept *tensor.File) bool {
	_, has := kept.Tensors["relevance_all"]
	return has
}

// readRows reads what the m kept tokens are made of, and where they stand.
func (q *Question) readRows(kept *tensor.File, m int) (err error) {
	if q.mixture, err = bundle.GetMixture(kept, q.tokens.Rows(), m); err != nil {
		return err
	}
	if q.mixture == nil && q.tokens.Rows() != m {
		return fmt.Errorf("%d rows, %d frame numbers", q.tokens.Rows(), m)
	}
	cell, err := tensor.Get[int32](kept, "cell")
	if err != nil || len(cell.Data) != m {
		return nil // asked for when it is needed
	}
	for _, n := range q.kept {
		q.cells, cell.Data = append(q.cells, cell.Data[:n]), cell.Data[n:]
	}
	return nil
}

// See adds the clip artifact that the kept tokens come from: frames U8 [T,H,W,3].
func (q *Question) See(clip *tensor.File) error {
	frames, err := tensor.Get[uint8](clip, "frames")
	if err != nil {
		return contract(job.StageAnswer, "clip: %v", err)
	}
	if s := frames.Shape; len(s) != 4 || s[0] != len(q.times) || s[1] < 1 || s[2] < 1 || s[3] != 3 {
		return contract(job.StageAnswer, "clip of frames %v, want [%d,H,W,3]", s, len(q.times))
	}
	q.pictures = frames
	return nil
}

// perFrame counts the rows of each frame; their order is by frame.
func perFrame(frame []int32, frames int) ([]int, error) {
	counts := make([]int, frames)
	last := int32(0)
	for _, f := range frame {
		if f < last || int(f) >= frames {
			return nil, fmt.Errorf("frame numbers are not ascending below %d", frames)
		}
		counts[f]++
		last = f
	}
	return counts, nil
}

// scorable refuses to score a question that has nothing to choose from.
func (q *Question) scorable() error {
	if q.Generate.Mode == job.ModeScore && len(q.Item.Options) == 0 {
		return job.Fail(job.StageAnswer, job.ConfigInvalid, "generate.mode is score, but line %d of the manifest has no options: give it options, or generate", q.Item.Line)
	}
	return nil
}

// text is the question as prompts are made of it.
func (q *Question) text() bundle.Question {
	return bundle.Question{Text: q.Item.Question, Options: q.Item.Options, Times: q.times, Duration: q.duration, Cells: q.cells}
}

// rows is M.
func (q *Question) rows() int {
	m := 0
	for _, n := range q.kept {
		m += n
	}
	return m
}

// prefix is the rows that other questions about the clip begin with too. At least
// one row is the question's: what is said to it follows from that.
func (q *Question) prefix(plan bundle.Prompt) int {
	if !q.shared {
		return 0
	}
	return min(plan.Prefix, plan.Len-1)
}

// trim keeps room of the rows, evenly spread over them and so over the frames.
// How much room there is follows from the question: others keep other rows.
func (q *Question) trim(room int) {
	all := q.rows()
	rows, kept := make([]int, room), make([]int, len(q.kept))
	frame, end := 0, q.kept[0]
	for i := range rows {
		rows[i] = i * all / room
		for rows[i] >= end {
			frame++
			end += q.kept[frame]
		}
		kept[frame]++
	}
	q.only(rows, kept)
	q.shared = false
}

// only drops all kept tokens but rows, of which there are kept[t] in frame t.
func (q *Question) only(rows, kept []int) {
	var cells [][]int32
	if q.cells != nil {
		all, left := slices.Concat(q.cells...), rows
		for _, n := range kept {
			cells = append(cells, cellsAt(all, left[:n]))
			left = left[n:]
		}
	}
	q.kept, q.cells = kept, cells
	if q.mixture != nil {
		q.mixture = q.mixture.Only(rows)
		return
	}
	gathered, err := tensor.Gather(q.tokens, rows)
	if err != nil {
		panic(fmt.Sprintf("trim: %v", err)) // the rows are counted by the caller
	}
	q.tokens, q.projection = gathered, nil
}

func cellsAt(values []int32, places []int) []int32 {
	out := make([]int32, len(places))
	for i, p := range places {
		out[i] = values[p]
	}
	return out
}

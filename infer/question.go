package infer

import (
	"errors"
	"fmt"
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

	tokens   tensor.Dense[tensor.Float16] // [M,D]
	kept     []int                        // rows of each frame, [T]
	times    []float64                    // [T], seconds
	duration float64                      // seconds; 0 if unknown
	total    int                          // T·P
	pictures tensor.Dense[uint8]          // [T,H,W,3]; of a model that is shown frames alone
}

// NewQuestion reads a kept artifact: tokens F16 [M,D], frame I32 [M] ascending,
// pts_s F64 [T], metadata T and P.
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
	q.duration, _ = strconv.ParseFloat(kept.Metadata["duration_s"], 64) // a container may not tell
	q.kept, err = perFrame(frame.Data, frames)
	if err == nil && (len(frame.Data) != q.tokens.Rows() || len(pts.Data) != frames) {
		err = fmt.Errorf("%d rows, %d frame numbers, %d times of %d frames", q.tokens.Rows(), len(frame.Data), len(pts.Data), frames)
	}
	if err != nil {
		return nil, contract(job.StageAnswer, "kept: %v", err)
	}
	return q, nil
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

// text is the question as prompts are made of it.
func (q *Question) text() bundle.Question {
	return bundle.Question{Text: q.Item.Question, Options: q.Item.Options, Times: q.times, Duration: q.duration}
}

// trim keeps room of the rows, evenly spread over them and so over the frames.
func (q *Question) trim(room int) {
	all := q.tokens.Rows()
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
	gathered, err := tensor.Gather(q.tokens, rows)
	if err != nil {
		panic(fmt.Sprintf("trim: %v", err)) // the rows are counted above
	}
	q.tokens, q.kept = gathered, kept
}

package infer

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// short is a projector that loses rows.
type short struct{ width, lost int }

func (s short) Close() error { return nil }

func (s short) Run(in, out *tensor.File) error {
	n := in.Tensors["tokens"].Shape[0] - s.lost
	tensor.Put(out, "rows", tensor.New[float32](n, s.width))
	return nil
}

// counted is a projector that fails the first time.
type counted struct{ runs, width int }

func (c *counted) Close() error { return nil }

func (c *counted) Run(in, out *tensor.File) error {
	if c.runs++; c.runs == 1 {
		return errors.New("the first time")
	}
	tensor.Put(out, "rows", tensor.New[float32](in.Tensors["tokens"].Shape[0], c.width))
	return nil
}

// Questions that read one artifact share its rows, until the last one has them.
// A failure is not shared, nor is what one was trimmed to.
func TestProjectionIsShared(t *testing.T) {
	t.Parallel()
	graph, shared := &counted{width: 64}, &projection{}
	a := &Answerer{projector: graph}
	var all []*Question
	for range 5 {
		q, err := NewQuestion(job.Item{}, job.Generation{}, job.FitTrim, keptFile([]int32{0, 0, 2}, 3))
		if err != nil {
			t.Fatal(err)
		}
		q.projection = shared
		all = append(all, q)
	}
	if _, err := a.projected(all[0], graph.width); err == nil {
		t.Error("the first run does not fail")
	}
	all[1].trim(2)
	for i, want := range []int{2, 3, 3, 3} { // rows
		rows, err := a.projected(all[i+1], graph.width)
		if err != nil || rows.Rows() != want {
			t.Errorf("question %d: %d rows, %v, want %d", i+1, rows.Rows(), err, want)
		}
	}
	if graph.runs != 3 {
		t.Errorf("the projector ran %d times, want 3: to fail, for the trimmed one, for the others", graph.runs)
	}
	rows := weak.Make(&shared.rows.Data[0])
	shared = nil
	runtime.GC()
	if rows.Value() != nil {
		t.Error("the rows are held though every question has had them")
	}
	runtime.KeepAlive(all)
}

func TestProjectorLosesRow(t *testing.T) {
	t.Parallel()
	a := &Answerer{projector: short{width: 4, lost: 1}}
	_, err := a.project(tensor.New[tensor.Float16](3, 2), 4)
	if err == nil || job.AsFailure(job.StageAnswer, err).Code != job.ModelContract {
		t.Errorf("%v, want %s", err, job.ModelContract)
	}
}

// What reaches the language model is counted: a plan of other rows is a failure.
func TestVisualRowsAreThePlans(t *testing.T) {
	t.Parallel()
	b, err := bundle.Open(t.Context(), filepath.Join("onnx", "testdata", "tiny"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	a := &Answerer{bundle: b, projector: short{width: b.Dims.Language.Hidden}}
	for planned, says := range map[int]string{2: "", 1: "3 visual rows were made, the plan has 2", 3: "3 visual rows were made, the plan has 4"} {
		q, err := NewQuestion(job.Item{Question: "Which?"}, job.Generation{MaxTokens: 1}, job.FitRefuse, keptFile([]int32{0, 0, 1}, 3))
		if err != nil {
			t.Fatal(err)
		}
		q.kept[0] = planned
		_, err = a.prepare(q)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%d rows planned of the first frame: %v, want %q", planned, err, says)
		}
	}
}

// What is laid out is counted, not what was to be: of a plan that leaves rows out,
// or shows one twice, nothing is said to the model.
func TestVisualRowsAreLaidOutOnce(t *testing.T) {
	t.Parallel()
	a := &Answerer{bundle: &bundle.Bundle{}, projector: short{width: 2}}
	a.bundle.Dims.Language.Hidden = 2
	for name, c := range map[string]struct {
		segments []bundle.Segment
		length   int
		says     string
	}{
		"as planned":    {[]bundle.Segment{{Rows: 1}, {First: 1, Rows: 2}}, 3, ""},
		"one left out":  {[]bundle.Segment{{Rows: 1}, {First: 1, Rows: 1}}, 2, "2 rows, 2 of them visual, the plan 2 and 3"},
		"no text":       {[]bundle.Segment{{Rows: 3}}, 4, "3 rows, 3 of them visual, the plan 4 and 3"},
		"one twice":     {[]bundle.Segment{{Rows: 2}, {First: 1, Rows: 1}}, 3, "visual rows 1 to 2 follow 2 of 3"},
		"one not there": {[]bundle.Segment{{Rows: 1}, {First: 1, Rows: 3}}, 4, "visual rows 1 to 4 follow 1 of 3"},
		"another order": {[]bundle.Segment{{First: 1, Rows: 2}, {Rows: 1}}, 3, "visual rows 1 to 3 follow 0 of 3"},
	} {
		q, err := NewQuestion(job.Item{}, job.Generation{}, job.FitRefuse, keptFile([]int32{0, 0, 1}, 3))
		if err != nil {
			t.Fatal(err)
		}
		embeds, err := a.embed(bundle.Prompt{Segments: c.segments, Len: c.length, Visual: 3}, q)
		if c.says == "" && (err != nil || embeds.Rows() != 3) || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, %v, want %q", name, embeds.Shape, err, c.says)
		}
	}
}

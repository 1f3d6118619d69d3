package infer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// keptFile is rows numbered from 0 on, of these frames.
func keptFile(frames []int32, times int) *tensor.File {
	f := &tensor.File{Metadata: map[string]string{"T": "3", "P": "4", "duration_s": "9.5"}}
	tokens := tensor.New[tensor.Float16](len(frames), 1)
	for i := range tokens.Data {
		tokens.Data[i] = tensor.ToFloat16(float32(i))
	}
	tensor.Put(f, "tokens", tokens)
	tensor.Put(f, "frame", tensor.Dense[int32]{Shape: tensor.Shape{len(frames)}, Data: frames})
	tensor.Put(f, "pts_s", tensor.New[float64](times))
	return f
}

func TestNewQuestion(t *testing.T) {
	t.Parallel()
	q, err := NewQuestion(job.Item{}, job.Generation{}, job.FitRefuse, keptFile([]int32{0, 0, 2}, 3))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 0, 1}, q.kept); diff != "" {
		t.Errorf("rows by frame (-want +got):\n%s", diff)
	}
	if q.total != 12 || q.duration != 9.5 {
		t.Errorf("%d tokens in all, %v s, want 12 and 9.5", q.total, q.duration)
	}
}

// Tokens that do not follow from the question are every question's.
func TestSharedTokens(t *testing.T) {
	t.Parallel()
	all := []int32{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}
	for name, c := range map[string]struct {
		frames     []int32
		byQuestion bool
		trim       bool
		want       bool
	}{
		"chosen for all":                   {all[:6], false, false, true},
		"chosen by the question":           {all[:6], true, false, false},
		"by the question, but all":         {all, true, false, true},
		"for all, and what did not fit":    {all[:6], false, true, false},
		"all, and what did not fit":        {all, true, true, false},
		"by the question, and trimmed too": {all[:6], true, true, false},
	} {
		f := keptFile(c.frames, 3)
		if c.byQuestion {
			tensor.Put(f, "relevance_all", tensor.New[float32](3, 4))
		}
		q, err := NewQuestion(job.Item{}, job.Generation{}, job.FitTrim, f)
		if err != nil {
			t.Fatal(err)
		}
		if c.trim {
			q.trim(4)
		}
		if got := q.prefix(bundle.Prompt{Prefix: 9, Len: 12}) > 0; got != c.want {
			t.Errorf("%s: shared is %v, want %v", name, got, c.want)
		}
	}
}

// A prompt that ends with visual rows keeps the last one for itself.
func TestPrefixIsNotAll(t *testing.T) {
	t.Parallel()
	q := Question{shared: true}
	if got := q.prefix(bundle.Prompt{Prefix: 12, Len: 12}); got != 11 {
		t.Errorf("a prefix of %d rows of 12, want 11", got)
	}
}

func TestNewQuestionRefuses(t *testing.T) {
	t.Parallel()
	without := func(name string) *tensor.File {
		f := keptFile([]int32{0}, 3)
		delete(f.Tensors, name)
		delete(f.Metadata, name)
		return f
	}
	for name, f := range map[string]*tensor.File{
		"frames in disorder": keptFile([]int32{1, 0}, 3),
		"a fourth frame":     keptFile([]int32{3}, 3),
		"a frame below 0":    keptFile([]int32{-1}, 3),
		"two times":          keptFile([]int32{0}, 2),
		"no tokens":          without("tokens"),
		"no frame numbers":   without("frame"),
		"no times":           without("pts_s"),
		"no T":               without("T"),
		"no P":               without("P"),
	} {
		_, err := NewQuestion(job.Item{}, job.Generation{}, job.FitRefuse, f)
		if err == nil || job.AsFailure(job.StageAnswer, err).Code != job.ModelContract {
			t.Errorf("%s: %v, want %s", name, err, job.ModelContract)
		}
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	frames := []int32{0, 0, 0, 0, 1, 2, 2, 2, 2, 2} // 4, 1 and 5 rows
	for room, want := range map[int]struct {
		rows []float32
		kept []int
	}{
		10: {[]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []int{4, 1, 5}},
		5:  {[]float32{0, 2, 4, 6, 8}, []int{2, 1, 2}},
		3:  {[]float32{0, 3, 6}, []int{2, 0, 1}},
		1:  {[]float32{0}, []int{1, 0, 0}},
	} {
		q, err := NewQuestion(job.Item{}, job.Generation{}, job.FitTrim, keptFile(frames, 3))
		if err != nil {
			t.Fatal(err)
		}
		q.trim(room)
		rows := make([]float32, len(q.tokens.Data))
		tensor.Widen(rows, q.tokens.Data)
		if diff := cmp.Diff(want.rows, rows); diff != "" {
			t.Errorf("room for %d: rows (-want +got):\n%s", room, diff)
		}
		if diff := cmp.Diff(want.kept, q.kept); diff != "" {
			t.Errorf("room for %d: rows by frame (-want +got):\n%s", room, diff)
		}
	}
}

// A mixture is trimmed to the tokens that stay; the rows they share stay too.
func TestTrimMixture(t *testing.T) {
	t.Parallel()
	f := keptFile([]int32{0, 0, 2, 2}, 3)
	tensor.Put(f, "tokens", tensor.New[tensor.Float16](2, 1))
	tensor.Put(f, "cell", tensor.Dense[int32]{Shape: tensor.Shape{4}, Data: []int32{1, 3, 0, 2}})
	mixture := &bundle.Mixture{Of: []int32{0, 1, 2, 2, 3}, Row: []int32{0, 1, 0, 1, 1}, Weight: []float32{1, 2, 3, 4, 5}}
	mixture.Put(f)
	q, err := NewQuestion(job.Item{}, job.Generation{}, job.FitTrim, f)
	if err != nil {
		t.Fatal(err)
	}
	q.trim(2)
	want := &bundle.Mixture{Of: []int32{0, 1, 1}, Row: []int32{0, 0, 1}, Weight: []float32{1, 3, 4}}
	if diff := cmp.Diff(want, q.mixture); diff != "" {
		t.Errorf("mixture (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int32{{1}, {}, {0}}, q.cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if q.rows() != 2 || q.tokens.Rows() != 2 {
		t.Errorf("%d tokens of %d rows, want 2 of 2", q.rows(), q.tokens.Rows())
	}
}

func TestItemAt(t *testing.T) {
	t.Parallel()
	page := []byte("{\"id\":\"a\"}\n{\"id\":\"b\"}\nnonsense")
	for line, want := range []string{"a", "b"} {
		if item, err := itemAt(page, line); err != nil || item.ID != want {
			t.Errorf("line %d: %q, %v, want %q", line, item.ID, err, want)
		}
	}
	for line, want := range map[int]string{-1: "line -1", 2: "line 2", 3: "there are 3"} {
		if _, err := itemAt(page, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("line %d: %v, want an error with %q", line, err, want)
		}
	}
}

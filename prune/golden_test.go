package prune

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
)

// The vectors in testdata/rediprune were made by the published code
// (github.com/UA-CVML/ReDiPrune at ba04aa4); no rounding difference flips them.

func golden(t *testing.T, pattern string, want int) map[string]*tensor.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "rediprune", pattern))
	if err != nil || len(paths) != want {
		t.Fatalf("%s matches %d files, want %d (%v)", pattern, len(paths), want, err)
	}
	files := map[string]*tensor.File{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if files[filepath.Base(path)], err = tensor.Decode(b); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return files
}

func goldenOptions(t *testing.T, metadata map[string]string) Options {
	t.Helper()
	o := Default()
	for key, field := range map[string]*float64{"keep_ratio": &o.Keep, "alpha": &o.Alpha, "tau": &o.Tau} {
		var err error
		if *field, err = strconv.ParseFloat(metadata[key], 64); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	return o
}

func TestGoldenSelections(t *testing.T) {
	t.Parallel()
	for name, in := range golden(t, "[0-9]*.safetensors", 18) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := tensor.Get[int64](in, "keep_idx")
			if err != nil {
				t.Fatal(err)
			}
			for _, scope := range []Scope{ScopeFrame, ScopeClip} { // one frame is the whole clip
				o := goldenOptions(t, in.Metadata)
				o.Scope = scope
				out, _, err := SelectFile(in, o)
				if err != nil {
					t.Fatal(err)
				}
				got, err := tensor.Get[int64](out, "keep_idx")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("scope %s: %s", scope, diff)
				}
			}
		})
	}
}

// table is a Table in memory that reuses its row.
type table struct {
	rows tensor.Dense[float32]
	buf  []float32
}

func (t *table) Width() int { return t.rows.Shape[1] }

func (t *table) Row(id int) ([]float32, error) {
	if id < 0 || id >= t.rows.Rows() {
		return nil, fmt.Errorf("token id %d is outside the vocabulary of %d", id, t.rows.Rows())
	}
	t.buf = append(t.buf[:0], t.rows.Row(id)...)
	return t.buf, nil
}

func TestGoldenQueries(t *testing.T) {
	t.Parallel()
	const image = -200
	for name, in := range golden(t, "question_*.safetensors", 8) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := tensor.Floats(in, "embed_tokens")
			if err != nil {
				t.Fatal(err)
			}
			ids, err := tensor.Get[int64](in, "input_ids")
			if err != nil {
				t.Fatal(err)
			}
			want, err := tensor.Floats(in, "text_query")
			if err != nil {
				t.Fatal(err)
			}
			prompt := make([]int, len(ids.Data))
			for i, id := range ids.Data {
				prompt[i] = int(id)
			}
			got, err := QueryPrompt(&table{rows: rows}, prompt, image)
			if err != nil {
				t.Fatal(err)
			}
			if e := relativeError(got, want.Data); e > 1e-5 {
				t.Errorf("relative error %g\n got %v\nwant %v", e, got, want.Data)
			}
		})
	}
}

// relativeError is |got-want| / |want|, and |got| where want is 0.
func relativeError(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	difference, length := 0.0, 0.0
	for i := range want {
		difference += math.Pow(float64(got[i])-float64(want[i]), 2)
		length += math.Pow(float64(want[i]), 2)
	}
	if length == 0 {
		return math.Sqrt(difference)
	}
	return math.Sqrt(difference / length)
}

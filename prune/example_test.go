package prune_test

import (
	"fmt"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
)

// One frame of four tokens, two of them alike, and a question that points at these two.
func Example() {
	tokens, err := tensor.From([]float32{
		1, 0,
		1, 0.1,
		0, 1,
		0.7, 0.7,
	}, 1, 4, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	clip, err := prune.NewClip(tokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	options := prune.Default()
	options.Keep = 0.5
	for _, options.Method = range []string{"relevant", "rediprune"} {
		policy, err := prune.New(options)
		if err != nil {
			fmt.Println(err)
			return
		}
		selection, err := policy.Select(clip, []float32{1, 0})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(options.Method)
		for _, k := range selection.Kept {
			fmt.Printf("  frame %d, cell %d, relevance %.2f\n", k.Frame, k.Cell, selection.Relevance[k.Sources[0].Row])
		}
	}
	// Output:
	// relevant
	//   frame 0, cell 0, relevance 1.00
	//   frame 0, cell 1, relevance 1.00
	// rediprune
	//   frame 0, cell 0, relevance 1.00
	//   frame 0, cell 2, relevance 0.00
}

// A field that cannot be is named.
func ExampleNew() {
	options := prune.Default()
	options.Keep = 15
	_, err := prune.New(options)
	fmt.Println(err)
	// Output: prune: keep: 15: want more than 0, at most 1: the share of tokens kept
}

// words is a language model's embedding table of three words.
type words [3][2]float32

func (words) Width() int { return 2 }

func (w words) Row(id int) ([]float32, error) {
	if id < 0 || id >= len(w) {
		return nil, fmt.Errorf("token id %d is outside the vocabulary of %d", id, len(w))
	}
	return w[id][:], nil
}

// The query vector is made of what follows the last frame; later words weigh more.
func ExampleQueryPrompt() {
	const frame = -1
	q, err := prune.QueryPrompt(words{{1, 0}, {0, 1}, {9, 9}}, []int{2, frame, 2, frame, 0, 1}, frame)
	fmt.Printf("%.3f %v\n", q, err)
	// Output: [0.291 0.709] <nil>
}

func ExampleSelectFile() {
	in := &tensor.File{}
	tensor.Put(in, "visual_tokens", tensor.Dense[float32]{Shape: tensor.Shape{2, 2, 1}, Data: []float32{1, -1, -2, 2}})
	tensor.Put(in, "text_query", tensor.Dense[float32]{Shape: tensor.Shape{1}, Data: []float32{3}})
	options := prune.Default()
	options.Keep = 0.5
	out, _, err := prune.SelectFile(in, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := tensor.Get[int64](out, "keep_idx")
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := tensor.Floats(out, "kept_tokens")
	fmt.Println(rows.Data, kept.Shape, kept.Data, err)
	// Output: [0 3] [2 1] [1 2] <nil>
}

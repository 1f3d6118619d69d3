package prune

import (
	"fmt"
	"math"
	"slices"
)

// Table is a language model's token embeddings, [V,E].
type Table interface {
	// Width is E.
	Width() int
	// Row is the embedding of a token. It need not outlive the next call.
	Row(id int) ([]float32, error)
}

// queryTokens is how many tokens a query vector is made of at most: the last ones.
const queryTokens = 128

// QueryPrompt is the query vector [E] of a prompt: its tokens after the last
// image placeholder, all of them if there is none, the last 128 of these. It
// ends where the answer would begin, and later tokens weigh more, so template
// words dominate it. No tokens make zeros, one its embedding.
func QueryPrompt(table Table, ids []int, image int) ([]float32, error) {
	for i := len(ids) - 1; i >= 0; i-- {
		if ids[i] == image {
			return queryOf(table, ids[i+1:])
		}
	}
	return queryOf(table, ids)
}

// QueryQuestion is the query vector [E] of a question's own tokens, without
// template, options or instruction. Otherwise it is as QueryPrompt.
func QueryQuestion(table Table, ids []int) ([]float32, error) { return queryOf(table, ids) }

// QueryReleased is the query vector [E] as ReDiPrune's published evaluation
// computes it: its integer attention mask indexes instead of masking, so it is
// the embedding of the prompt's second token, whatever the question. It serves
// comparison with published numbers and says nothing about relevance.
func QueryReleased(table Table, ids []int) ([]float32, error) {
	if len(ids) < 2 {
		return nil, fmt.Errorf("prune: query released: the prompt has %d tokens, want 2 or more", len(ids))
	}
	return queryOf(table, ids[1:2])
}

// queryOf pools the embeddings E [L,E] of the last tokens: with Ê their rows
// over norm, A = softmax(ÊÊᵀ) by row, C = A·E and w as emphasis, it is Σ wᵢCᵢ
// (ReDiPrune, arXiv 2603.24680). Summing A by w first spares the product C.
// Cost: O(L²·E).
func queryOf(table Table, ids []int) ([]float32, error) {
	ids = ids[max(0, len(ids)-queryTokens):]
	rows, err := embed(table, ids)
	if err != nil {
		return nil, err
	}
	switch len(rows) {
	case 0:
		return make([]float32, table.Width()), nil
	case 1:
		return rows[0], nil
	}
	return weightedSum(rows, attended(rows)), nil
}

// embed copies the rows of ids.
func embed(table Table, ids []int) ([][]float32, error) {
	rows := make([][]float32, len(ids))
	for i, id := range ids {
		row, err := table.Row(id)
		if err != nil {
			return nil, fmt.Errorf("prune: query: token %d of %d: %w", i, len(ids), err)
		}
		if len(row) != table.Width() {
			return nil, fmt.Errorf("prune: query: the embedding of token id %d is %d wide, want %d", id, len(row), table.Width())
		}
		if n := norm(row); math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("prune: query: the embedding of token id %d holds a NaN or an infinity", id)
		}
		rows[i] = slices.Clone(row)
	}
	return rows, nil
}

// attended is the weight of every row in the query vector: Σᵢ wᵢ Aᵢⱼ.
func attended(rows [][]float32) []float64 {
	unit := make([][]float32, len(rows))
	for i, row := range rows {
		unit[i] = slices.Clone(row)
		normalise(unit[i], unit[i])
	}
	weights := make([]float64, len(rows))
	attention := make([]float64, len(rows))
	for i, w := range emphasis(len(rows)) {
		for j := range unit {
			attention[j] = float64(dot(unit[i], unit[j]))
		}
		softmax(attention)
		for j, a := range attention {
			weights[j] += w * a
		}
	}
	return weights
}

// emphasis is exp(3·i/(n−1)) for 0 ≤ i < n, over its sum; n > 1.
func emphasis(n int) []float64 {
	w := make([]float64, n)
	sum := 0.0
	for i := range w {
		w[i] = math.Exp(3 * float64(i) / float64(n-1))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// softmax replaces cosines, too small to overflow, by their softmax.
func softmax(v []float64) {
	sum := 0.0
	for i, x := range v {
		v[i] = math.Exp(x)
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
}

// weightedSum is Σ weights[i]·rows[i].
func weightedSum(rows [][]float32, weights []float64) []float32 {
	sum := make([]float64, len(rows[0]))
	for i, row := range rows {
		for j, x := range row {
			sum[j] += weights[i] * float64(x)
		}
	}
	out := make([]float32, len(sum))
	for j, x := range sum {
		out[j] = float32(x)
	}
	return out
}

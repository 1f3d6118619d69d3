package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// traced is a decoder under ONNX Runtime's own trace, which tells what of a
// token's time is outside the graph: our loop, the binding, the cache's way from
// outputs to inputs, the garbage collector. Tracing costs time itself, and the
// trace is written when the graph is closed: there is one turn.
type traced struct {
	*decoder
	folder string
}

func (t *traced) close() error { return nil } // its turn did

func (t *traced) turn(length time.Duration) (figures, error) {
	pairs, err := t.pairs(length)
	if err != nil {
		return nil, err
	}
	if err := t.model.Close(); err != nil {
		return nil, err
	}
	inside, err := t.inside()
	if err != nil {
		return nil, err
	}
	inside = inside[len(inside)-len(pairs):] // the last ones: what came before did not count
	for i := range pairs {
		pairs[i].first -= inside[i].first
		pairs[i].all -= inside[i].all
	}
	_, token := t.medians(pairs)
	return figures{"outside-ns": token}, nil
}

// inside is what of each pair of answers the trace says was in the graph.
func (t *traced) inside() ([]answers, error) {
	runs, err := readTrace(t.folder)
	if err != nil {
		return nil, err
	}
	var pairs []answers
	for pair := range slices.Chunk(runs[len(runs)%(1+t.tokens):], 1+t.tokens) {
		a := answers{first: pair[0]}
		for _, run := range pair[1:] {
			a.all += run
		}
		pairs = append(pairs, a)
	}
	return pairs, nil
}

// readTrace reads how long each run of the decoder took.
func readTrace(folder string) ([]time.Duration, error) {
	found, err := filepath.Glob(filepath.Join(folder, "decoder*.json"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("%d traces of the decoder in %s, want one", len(found), folder)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return nil, err
	}
	var events []struct {
		Name string
		Dur  int64 // µs
	}
	if err := json.Unmarshal(text, &events); err != nil {
		return nil, err
	}
	var runs []time.Duration
	for _, e := range events {
		if e.Name == "model_run" {
			runs = append(runs, time.Duration(e.Dur)*time.Microsecond)
		}
	}
	return runs, nil
}

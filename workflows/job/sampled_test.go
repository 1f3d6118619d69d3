package job_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestSample(t *testing.T) {
	t.Parallel()
	const all, n, draws = 40, 10, 4000
	items := make([]job.Item, all)
	for i := range items {
		items[i].Line = i
	}
	drawn := make([]int, all)
	for seed := range uint64(draws) {
		some := job.Sample(items, n, seed)
		if len(some) != n || !slices.IsSortedFunc(some, func(a, b job.Item) int { return a.Line - b.Line }) {
			t.Fatalf("seed %d drew %v, want %d in their order", seed, some, n)
		}
		for _, item := range some {
			drawn[item.Line]++
		}
	}
	for i, times := range drawn { // binomial: a standard deviation is 27
		if want := draws * n / all; times < want-150 || times > want+150 {
			t.Errorf("item %d was drawn %d times of %d, want about %d", i, times, draws, want)
		}
	}
	if diff := cmp.Diff(job.Sample(items, n, 1), job.Sample(items, n, 1)); diff != "" {
		t.Errorf("a seed draws twice (-first +second):\n%s", diff)
	}
	if some := job.Sample(items, all+1, 1); len(some) != all {
		t.Errorf("%d of %d were drawn, want all", len(some), all)
	}
}

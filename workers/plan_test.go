package workers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

func linesOf(videos [][]workflows.Ask) [][]int {
	out := make([][]int, len(videos))
	for i, v := range videos {
		for _, ask := range v {
			out[i] = append(out[i], ask.Line)
		}
	}
	return out
}

func TestPlanGroupsByVideoAndSpan(t *testing.T) {
	t.Parallel()
	one, two := 1.0, 2.0
	items := []job.Item{
		{ID: "a", Video: "/x"}, {ID: "b", Video: "/y"}, {ID: "c", Video: "/x"},
		{ID: "d", Video: "/x", Start: &one}, {ID: "e", Video: "/x", Start: &one, End: &two}, {ID: "f", Video: "/x", Start: &one},
	}
	d := newDesk(t, items, 500, nil)
	plan, err := d.plan(t.Context(), workflows.PageInput{Run: d.run})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]int{{0, 2}, {1}, {3, 5}, {4}}, linesOf(plan.Videos)); diff != "" {
		t.Errorf("videos (-want +got):\n%s", diff)
	}
}

// A page that has closed is not opened again, in the generation it closed in.
func TestPlanOfAClosedPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, []job.Item{{ID: "a", Video: "/x"}, {ID: "b", Video: "/y"}}, 1, nil)
	put(t, d.cfg.Store, artifact.PageRecords(d.run.Job, 0, 0), nil)
	for page, want := range []int{0, 1} {
		plan, err := d.plan(t.Context(), workflows.PageInput{Run: d.run, Page: page})
		if err != nil || len(plan.Videos) != want {
			t.Errorf("page %d: %v, %v, want %d videos", page, plan.Videos, err, want)
		}
	}
}

func TestPlanSplitsManyQuestions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		questions, variants int
		want                []int
	}{
		{64, 1, []int{64}},
		{65, 1, []int{64, 1}},
		{150, 2, []int{64, 64, 22}},
		{40, 16, []int{16, 16, 8}},
		{3, 1000, []int{1, 1, 1}},
	} {
		items := questions("/x", tc.questions)
		open := make([]workflows.Ask, tc.questions)
		for i := range open {
			open[i].Line = i
		}
		var got []int
		for _, v := range groupByVideo(items, open, tc.variants) {
			got = append(got, len(v))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%d questions, %d variants (-want +got):\n%s", tc.questions, tc.variants, diff)
		}
	}
}

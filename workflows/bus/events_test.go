package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	b := connect(t)
	id, other := job.ID{Name: "followed", Digest: "0123abcd", N: 1}, job.ID{Name: "followed", Digest: "0123abcd", N: 2}
	stage := func(id job.ID, page int) job.Event {
		return job.Event{
			V: job.Version, Job: id.String(), Kind: job.EventStage, Stage: job.StagePrune, Page: page,
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Done: 3,
		}
	}
	b.Tell(stage(id, 0))
	b.Tell(stage(other, 7))
	state := job.Event{V: job.Version, Job: id.String(), Kind: job.EventState, State: job.StatePaused}
	b.Tell(state)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []job.Event
	for e, err := range b.Follow(ctx, id) {
		if err != nil {
			t.Fatal(err)
		}
		switch got = append(got, e); len(got) {
		case 2:
			b.Tell(stage(id, 1)) // told while somebody follows
		case 3:
			cancel()
		}
	}
	if diff := cmp.Diff([]job.Event{stage(id, 0), state, stage(id, 1)}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

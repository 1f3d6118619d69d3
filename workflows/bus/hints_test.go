package bus

import (
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

const hintedBundle = "0123456789ab"

// moment is so long after some time.
func moment(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }

func TestHints(t *testing.T) {
	t.Parallel()
	classes := stagesOf(Worker{Bundle: hintedBundle, Stages: []job.Stage{job.StageEncode}})
	class := classes[0].classes[1]
	subject := class.Subject(artifact.Key("v1/x"))
	ask := func(h *hints, at time.Duration, got int) { h.fetched(class, moment(at), got, 4) }
	const gone, here = false, true
	for name, test := range map[string]struct {
		happens func(*hints)
		want    bool
	}{
		"at first":                     {func(*hints) {}, here},
		"it was empty":                 {func(h *hints) { ask(h, 0, 0) }, gone},
		"it had fewer than were asked": {func(h *hints) { ask(h, 0, 3) }, gone},
		"it had as many":               {func(h *hints) { ask(h, 0, 4) }, here},
		"announced when it was empty":  {func(h *hints) { ask(h, 0, 0); h.announce(subject, moment(1)) }, here},
		"announced while it was asked": {func(h *hints) { h.announce(subject, moment(1)); ask(h, 0, 0) }, here},
		"announced, and not there yet": {func(h *hints) { h.announce(subject, moment(0)); ask(h, arrival/2, 0) }, here},
		"announced, and taken":         {func(h *hints) { h.announce(subject, moment(0)); ask(h, arrival, 0) }, gone},
		"another's was announced": {func(h *hints) {
			ask(h, 0, 0)
			h.announce(Class{Stage: job.StageAnswer, Bundle: hintedBundle, Priority: 1}.Subject("v1/x"), moment(1))
		}, gone},
		"seen in the stream": {func(h *hints) { ask(h, 0, 0); h.seen(map[string]uint64{subject: 1}) }, here},
	} {
		h := newHints(classes)
		test.happens(h)
		if got := h.likely(class); got != test.want {
			t.Errorf("%s: worth asking for: %v", name, got)
		}
	}
}

// What was announced and is not there is asked for again in ever longer pauses.
func TestHintsPause(t *testing.T) {
	t.Parallel()
	h := newHints(stagesOf(Worker{Bundle: hintedBundle, Stages: []job.Stage{job.StageEncode}}))
	if got := h.pause(moment(0)); got != pollEvery {
		t.Errorf("nothing is announced: %v, want %v", got, pollEvery)
	}
	subject := Class{Stage: job.StageEncode, Bundle: hintedBundle}.Subject("v1/x")
	h.announce(subject, moment(0))
	for passed, want := range map[time.Duration]time.Duration{
		0: soonest, 3 * time.Millisecond: 3 * time.Millisecond, 100 * time.Millisecond: 100 * time.Millisecond, time.Minute: pollEvery,
	} {
		if got := h.pause(moment(passed)); got != want {
			t.Errorf("%v after it was announced: %v, want %v", passed, got, want)
		}
	}
}

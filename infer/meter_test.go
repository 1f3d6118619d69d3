package infer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/bus"
)

// moment is so many seconds in.
func moment(seconds int) time.Time { return time.Unix(int64(seconds), 0) }

func TestMeter(t *testing.T) {
	t.Parallel()
	type event struct{ at, waiting int } // waiting < 0: an end
	for name, test := range map[string]struct {
		events []event
		want   Load
	}{
		"nothing":                        {nil, Load{}},
		"a request from before we began": {[]event{{12, 3}, {15, -1}}, Load{Busy: 3 * time.Second, Idle: 2 * time.Second}},
		"nothing waited":                 {[]event{{12, 12}, {15, -1}, {20, 20}, {21, -1}}, Load{Busy: 4 * time.Second}},
		"it waited while the other ran":  {[]event{{10, 10}, {15, -1}, {17, 12}, {18, -1}}, Load{Busy: 6 * time.Second, Idle: 2 * time.Second}},
		"it came when nothing ran":       {[]event{{10, 10}, {15, -1}, {20, 17}, {21, -1}}, Load{Busy: 6 * time.Second, Idle: 3 * time.Second}},
		"side by side":                   {[]event{{10, 10}, {12, 11}, {15, -1}, {16, -1}, {18, 15}, {20, -1}}, Load{Busy: 8 * time.Second, Idle: 2 * time.Second}},
		"the queue's clock is ahead":     {[]event{{12, 14}, {15, -1}}, Load{Busy: 3 * time.Second}},
	} {
		m := meter{since: moment(10)}
		for _, e := range test.events {
			if e.waiting < 0 {
				m.end(moment(e.at), 0)
			} else {
				m.begin(moment(e.at), moment(e.waiting))
			}
		}
		if diff := cmp.Diff(test.want, m.read()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What runs side by side shares the device: the shares add up to what it was busy.
func TestMeterShares(t *testing.T) {
	t.Parallel()
	m := meter{since: moment(0)}
	first := m.begin(moment(10), moment(10))
	second := m.begin(moment(12), moment(12))
	if got := m.end(moment(16), first); got != 4*time.Second {
		t.Errorf("alone for 2 s and one of two for 4: %v, want 4s", got)
	}
	if got := m.end(moment(17), second); got != 3*time.Second {
		t.Errorf("one of two for 4 s and alone for 1: %v, want 3s", got)
	}
	if busy := m.read().Busy; busy != 7*time.Second {
		t.Errorf("busy for %v, want 7s", busy)
	}
}

// A batch is shared out by the visual tokens that its questions brought.
func TestCharge(t *testing.T) {
	t.Parallel()
	question := func(rows int) *Question { return &Question{tokens: tensor.New[tensor.Float16](rows, 1)} }
	w := work{leases: []*bus.Lease{{}, {}}, questions: []*Question{question(9), question(29)}}
	w.charge(40 * time.Millisecond)
	if a, b := w.leases[0].Device, w.leases[1].Device; a != 10*time.Millisecond || b != 30*time.Millisecond {
		t.Errorf("40 ms for 9 and 29 tokens: %v and %v, want 10ms and 30ms", a, b)
	}
	w = work{leases: []*bus.Lease{{}}, clip: &tensor.File{}}
	w.charge(time.Second)
	if got := w.leases[0].Device; got != time.Second {
		t.Errorf("a clip's: %v, want all of it", got)
	}
}

func TestIdleShare(t *testing.T) {
	t.Parallel()
	if got := (Load{Busy: 3 * time.Second, Idle: time.Second}).IdleShare(); got != 0.25 {
		t.Errorf("1 s of 4: %v", got)
	}
	if got := (Load{}).IdleShare(); got != 0 {
		t.Errorf("nothing ran: %v", got)
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	leases := []*bus.Lease{{Published: moment(5)}, {Published: moment(3)}, {Published: moment(9)}}
	if got := waiting(leases); !got.Equal(moment(3)) {
		t.Errorf("the longest of them waits since %v, want %v", got, moment(3))
	}
}

package infer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
				m.end(moment(e.at))
			} else {
				m.begin(moment(e.at), moment(e.waiting))
			}
		}
		if diff := cmp.Diff(test.want, m.read()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
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

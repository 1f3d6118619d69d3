package wait_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/wait"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	for text, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		" 7 ":                           7 * time.Second,
		"-5":                            0,
		"1.5":                           0,
		"9223372036854775807":           24 * time.Hour,
		"99999999999999999999":          0,
		"Sun, 06 Nov 1994 08:50:07 GMT": 30 * time.Second,
		"Sun, 06 Nov 1994 08:49:07 GMT": 0,
		"Sun, 06 Nov 2094 08:49:07 GMT": 24 * time.Hour,
	} {
		header := http.Header{"Retry-After": {text}, "Date": {date}}
		if got := wait.RetryAfter(header); got != want {
			t.Errorf("Retry-After %q: %v, want %v", text, got, want)
		}
	}
}

// Without a date of its own, an answer's is compared with the clock here.
func TestRetryAfterWithoutADate(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := wait.RetryAfter(http.Header{"Retry-After": {soon}}); got < 59*time.Minute || got > time.Hour {
		t.Errorf("%q: %v", soon, got)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	for _, d := range []time.Duration{time.Hour, 0} { // the second time it has ended already
		if err := wait.Sleep(ctx, d); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", d, err)
		}
	}
	if err := wait.Sleep(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
}

package workers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

func TestSealedDecidesWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	away := job.Fail(job.StageEncode, job.CapacityUnavailable, "away")
	paused := job.Fail(job.StageFetch, job.CapacityUnavailable, "serves nothing since 15m")
	for name, tc := range map[string]struct {
		err     error
		attempt int32
		kind    string
		again   bool
	}{
		"input":                  {job.Fail(job.StageDecode, job.InputCorrupt, "bad"), 1, workflows.ErrorFailure, false},
		"unreachable":            {job.Fail(job.StageFetch, job.InputUnreachable, "slow"), 1, workflows.ErrorFailure, true},
		"unreachable for long":   {job.Fail(job.StageFetch, job.InputUnreachable, "slow"), maxTries, workflows.ErrorFailure, false},
		"a bug":                  {errors.New("index out of range"), 1, workflows.ErrorFailure, true},
		"a bug each time":        {errors.New("index out of range"), maxTries, workflows.ErrorFailure, false},
		"capacity":               {fmt.Errorf("put: %w", away), 100, workflows.ErrorFailure, true},
		"capacity waited out":    {&settled{away}, 1, workflows.ErrorFailure, false},
		"origin waited for":      {waited(fmt.Errorf("decode: %w", paused)), 1, workflows.ErrorFailure, false},
		"origin unreachable":     {waited(job.Fail(job.StageFetch, job.InputUnreachable, "slow")), 1, workflows.ErrorFailure, true},
		"of another release":     {fmt.Errorf("x: %w", &foreign{job.Fail(job.StagePrune, job.InternalVersion, "v 2")}), 100, workflows.ErrorFailure, true},
		"another version":        {job.Fail(job.StagePrune, job.InternalVersion, "v 2"), 1, workflows.ErrorFailure, false},
		"missing artifact":       {&missing{"v1/s/clip/c"}, 1, workflows.ErrorMissing, false},
		"missing, deeper inside": {fmt.Errorf("answer: %w", &missing{"v1/s/clip/c"}), 1, workflows.ErrorMissing, false},
	} {
		var app *temporal.ApplicationError
		if !errors.As(sealed(t.Context(), job.StageEncode, tc.err, tc.attempt), &app) {
			t.Errorf("%s: no application error", name)
			continue
		}
		if app.Type() != tc.kind || app.NonRetryable() == tc.again {
			t.Errorf("%s: type %q, again %v; want %q, %v", name, app.Type(), !app.NonRetryable(), tc.kind, tc.again)
		}
	}
}

func TestSealedKeepsTheFailure(t *testing.T) {
	t.Parallel()
	long := job.Fail(job.StageDecode, job.InputCorrupt, "%s", strings.Repeat("x", 5000))
	var app *temporal.ApplicationError
	var f job.Failure
	if !errors.As(sealed(t.Context(), job.StageEncode, long, 1), &app) || app.Details(&f) != nil {
		t.Fatal("no details")
	}
	if f.Code != job.InputCorrupt || f.Stage != job.StageDecode || len(f.Detail) > maxDetail+len("…") {
		t.Errorf("failure = %s at %s, %d bytes of detail", f.Code, f.Stage, len(f.Detail))
	}
}

func TestSealedOfTheCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sealed(ctx, job.StageEncode, errors.New("anything"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

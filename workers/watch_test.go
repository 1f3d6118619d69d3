package workers

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for want, err := range map[string]error{
		"ok":                       nil,
		"canceled":                 sealed(canceled, job.StageEncode, errors.New("whatever"), 1),
		"missing":                  sealed(t.Context(), job.StagePrune, &missing{"v1/x"}, 1),
		string(job.InputTruncated): sealed(t.Context(), job.StageDecode, job.Fail(job.StageDecode, job.InputTruncated, "half"), 1),
		string(job.InternalError):  sealed(t.Context(), job.StageRecord, errors.New("unheard of"), 1),
	} {
		if got := outcome(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestDecoded(t *testing.T) {
	t.Parallel()
	fail := func(code job.Code) error { return job.Fail(job.StageDecode, code, "why") }
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "ok"}, {fail(job.InputTruncated), "failed"}, {fail(job.InputTimeout), "killed"}, {fail(job.CapacityKilled), "killed"},
		{fmt.Errorf("decode: %w", context.Canceled), "canceled"},
	} {
		if got := decoded(test.err); got != test.want {
			t.Errorf("%v is %q, want %q", test.err, got, test.want)
		}
	}
}

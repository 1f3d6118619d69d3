// Package checkup asks Temporal, NATS and S3 whether they are as Winnow needs
// them. One config struct a service goes in; findings come out, each with what to
// do where something is wrong. It changes nothing, except that with fix it makes
// what is absent; what it tries things with, objects and workflows, it deletes. `winnow doctor` prints what it finds.
package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/winnow-video/winnow/workflows/stack"
)

// limit bounds all checks of one service.
const limit = 45 * time.Second

// Verdict is how a check ended.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // Winnow works, or will; somebody should look
	Wrong   Verdict = "wrong"   // Winnow does not work
)

// Finding is one check's outcome.
type Finding struct {
	Service string  `json:"service"`
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Said    string  `json:"said"`
	Mend    string  `json:"mend,omitempty"` // what to do
}

// Options is how services are checked.
type Options struct {
	Fix     bool // make what is absent: the bucket, streams, key-value buckets, search attributes
	Outside bool // look at what the embedded stack sees to by itself, too: who serves, and fairness
}

// Services checks the three side by side.
func Services(ctx context.Context, services stack.Services, o Options) []Finding {
	checks := []func(context.Context) []Finding{
		func(ctx context.Context) []Finding { return Temporal(ctx, services.Temporal, o) },
		func(ctx context.Context) []Finding { return NATS(ctx, services.NATS, o) },
		func(ctx context.Context) []Finding { return S3(ctx, services.S3, o) },
	}
	found := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			found[i] = check(ctx)
		})
	}
	all.Wait()
	return slices.Concat(found...)
}

// report is the findings about one service.
type report struct {
	service string
	found   []Finding
}

func (r *report) ok(check, format string, args ...any) {
	r.found = append(r.found, Finding{Service: r.service, Check: check, Verdict: OK, Said: fmt.Sprintf(format, args...)})
}

func (r *report) warn(check, said, mend string) {
	r.found = append(r.found, Finding{Service: r.service, Check: check, Verdict: Warning, Said: said, Mend: mend})
}

// wrong says why, and what to do where the error does not say it itself.
func (r *report) wrong(check string, err error, mend string) {
	r.found = append(r.found, Finding{Service: r.service, Check: check, Verdict: Wrong, Said: oneLine(err), Mend: mend})
}

// oneLine is an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

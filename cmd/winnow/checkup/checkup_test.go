package checkup_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/winnow-video/winnow/cmd/winnow/checkup"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }

// of is the finding of one check.
func of(t *testing.T, findings []checkup.Finding, service, check string) checkup.Finding {
	t.Helper()
	for _, f := range findings {
		if f.Service == service && f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding about %s of %s in %+v", check, service, findings)
	return checkup.Finding{}
}

// wantVerdicts wants these checks to end so, and all others to be ok.
func wantVerdicts(t *testing.T, findings []checkup.Finding, want map[string]checkup.Verdict) {
	t.Helper()
	for _, f := range findings {
		verdict, named := want[f.Service+" "+f.Check]
		if !named {
			verdict = checkup.OK
		}
		if f.Verdict != verdict {
			t.Errorf("%s %s: %s (%s), want %s", f.Service, f.Check, f.Verdict, f.Said, verdict)
		}
		if f.Verdict == checkup.Warning && f.Mend == "" || strings.Contains(f.Said, "\n") {
			t.Errorf("%s %s: %q, %q: want one line, and what to do", f.Service, f.Check, f.Said, f.Mend)
		}
	}
}

// TestServices looks at servers that are new, makes what is absent, and looks again.
func TestServices(t *testing.T) {
	t.Parallel()
	services := stacktest.StartIn(t, t.TempDir()).Services
	services.S3.Bucket = "other"
	idle := map[string]checkup.Verdict{"temporal workers": checkup.Warning, "nats bundles": checkup.Warning}
	fresh := map[string]checkup.Verdict{
		"temporal workers": checkup.Warning, "nats bundles": checkup.Warning, "s3 bucket": checkup.Wrong,
		"nats stream WINNOW_INFER": checkup.Warning, "nats stream WINNOW_EVENTS": checkup.Warning,
		"nats bucket WINNOW_WORKERS": checkup.Warning, "nats bucket WINNOW_CALLERS": checkup.Warning, "nats bucket WINNOW_POISON": checkup.Warning,
	}
	wantVerdicts(t, checkup.Services(t.Context(), services, checkup.Options{Outside: true}), fresh)
	wantVerdicts(t, checkup.Services(t.Context(), services, checkup.Options{Outside: true}), fresh) // looking changed nothing
	wantVerdicts(t, checkup.Services(t.Context(), services, checkup.Options{Fix: true, Outside: true}), idle)
	found := checkup.Services(t.Context(), services, checkup.Options{Outside: true})
	wantVerdicts(t, found, idle)
	if f := of(t, found, "temporal", "priority and fairness"); !strings.Contains(f.Said, "comes first") {
		t.Errorf("of a fair server it says %q", f.Said)
	}
}

// TestNamespaceOfAnother looks at a namespace that has nothing of Winnow's.
func TestNamespaceOfAnother(t *testing.T) {
	t.Parallel()
	services := stacktest.StartIn(t, t.TempDir()).Services
	services.Temporal.Namespace = stacktest.Namespace(t, services.Temporal)
	for _, look := range []struct {
		fix  bool
		want checkup.Verdict
		said string
	}{
		{false, checkup.Warning, "WinnowJob, WinnowTeam are not there"},
		{true, checkup.OK, "made WinnowJob, WinnowTeam"},
		{false, checkup.OK, "WinnowJob and WinnowTeam"},
	} {
		found := of(t, checkup.Temporal(t.Context(), services.Temporal, checkup.Options{Fix: look.fix}), "temporal", "search attributes")
		if found.Verdict != look.want || found.Said != look.said {
			t.Errorf("fix %v: %+v, want %s: %s", look.fix, found, look.want, look.said)
		}
	}
}

// TestS3Lacks stands before the real server and takes away what Winnow relies on.
func TestS3Lacks(t *testing.T) {
	t.Parallel()
	good := stacktest.Start(t).S3
	wantVerdicts(t, checkup.S3(t.Context(), good, checkup.Options{}), nil)
	late := func(r *http.Response) {
		r.Header.Set("Date", time.Now().Add(-2*time.Minute).UTC().Format(http.TimeFormat))
	}
	hour := func(r *http.Response) {
		r.Header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	}
	unconditional := func(r *http.Response) {
		if r.StatusCode == http.StatusPreconditionFailed {
			r.StatusCode, r.Status = http.StatusOK, "200 OK"
		}
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		change func(*http.Response)
		want   map[string]checkup.Verdict
	}{
		"a late clock":      {nil, late, map[string]checkup.Verdict{"s3 clock": checkup.Warning}},
		"a wrong clock":     {nil, hour, map[string]checkup.Verdict{"s3 clock": checkup.Wrong}},
		"writing":           {stacktest.Forbid("PUT"), nil, map[string]checkup.Verdict{"s3 writing": checkup.Wrong}},
		"deleting":          {stacktest.Forbid("DELETE"), nil, map[string]checkup.Verdict{"s3 writing": checkup.Wrong}},
		"conditional write": {nil, unconditional, map[string]checkup.Verdict{"s3 conditional writes": checkup.Wrong, "s3 reads": checkup.Wrong}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			c.Endpoint = stacktest.FrontS3(t, good.Endpoint, nil, test.answer, test.change)
			found := checkup.S3(t.Context(), c, checkup.Options{})
			wantVerdicts(t, found, test.want)
			for check := range test.want {
				of(t, found, "s3", strings.TrimPrefix(check, "s3 "))
			}
		})
	}
}

// TestUnusable names what is in the way of each service, and ends.
func TestUnusable(t *testing.T) {
	t.Parallel()
	services := *stacktest.Start(t)
	silent := stacktest.FrontSilent(t)
	services.Temporal.Address = silent
	services.NATS.Password = "hidden"
	services.S3.SecretKey = "hidden"
	found := checkup.Services(t.Context(), services, checkup.Options{Fix: true, Outside: true})
	wantVerdicts(t, found, map[string]checkup.Verdict{
		"temporal connection": checkup.Wrong, "nats connection": checkup.Wrong, "s3 bucket": checkup.Wrong,
	})
	for _, f := range found {
		if strings.Contains(f.Said+f.Mend, "hidden") {
			t.Errorf("%s %s shows a secret: %s", f.Service, f.Check, f.Said)
		}
	}
	if f := checkup.S3(t.Context(), s3store.Config{}, checkup.Options{}); len(f) != 1 || f[0].Said != "s3.endpoint is missing" {
		t.Errorf("S3 that nobody named: %+v", f)
	}
}

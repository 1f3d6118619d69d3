package main

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/deploy/chaos/audit"
)

// A seed is a script: the same strikes each time, others under another seed.
func TestSchedule(t *testing.T) {
	t.Parallel()
	for _, s := range scenes {
		const times = 5
		first := schedule(1, s, times)
		if diff := gocmp.Diff(first, schedule(1, s, times), gocmp.AllowUnexported(strike{})); diff != "" {
			t.Errorf("%s under the same seed:\n%s", s.name, diff)
		}
		if gocmp.Equal(first, schedule(2, s, times), gocmp.AllowUnexported(strike{})) {
			t.Errorf("%s strikes the same under another seed", s.name)
		}
		if len(first) != times || !slices.IsSortedFunc(first, func(a, b strike) int { return cmp.Compare(a.at, b.at) }) {
			t.Errorf("%s: %v: want %d strikes, one after the other", s.name, first, times)
		}
		for _, one := range first {
			if one.at < firstStrike || one.at > lastStrike || one.away < s.away.least || one.away > s.away.most {
				t.Errorf("%s: %+v lies outside", s.name, one)
			}
			if s.find == nil && !slices.Contains(s.hosts, one.host) {
				t.Errorf("%s strikes %q, not one of %v", s.name, one.host, s.hosts)
			}
		}
	}
}

// What scenes have in common with each other is the seed alone.
func TestScenesDiffer(t *testing.T) {
	t.Parallel()
	worker, _ := sceneOf("worker")
	temporal, _ := sceneOf("temporal")
	if schedule(1, worker, 1)[0].at == schedule(1, temporal, 1)[0].at {
		t.Error("two scenes strike at the same place")
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"--only worker,nobody", "--only nobody"},
		{"--times 0", "--times 0"},
		{"--videos 0", "--videos 0"},
		{"--limit 0s", "--limit 0s"},
	} {
		c := command()
		c.SetArgs(strings.Fields(test.args))
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("chaos %s: %v, want one that names %s", test.args, err, test.want)
		}
	}
}

// What is missing is said at once, and before anything is touched.
func TestMissing(t *testing.T) {
	t.Parallel()
	none := tools{programs: t.TempDir(), postgres: t.TempDir()}
	_, err := none.find("unused")
	for _, want := range []string{"initdb", "make programs", "make chaos-servers"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: want one line that names %s", err, want)
		}
	}
}

func TestJudgeEncodes(t *testing.T) {
	t.Parallel()
	strikes := []struck{{"infer", "infer-0", 3}, {"cut", "infer-1", 4}}
	for _, test := range []struct {
		encodes audit.Encodes
		want    string
	}{
		{audit.Encodes{Finished: 10, Begun: 17, Repeated: 7}, ""},
		{audit.Encodes{Finished: 10, Begun: 18, Repeated: 8}, "8 encodes were begun again, 7 were in flight"},
		{audit.Encodes{Finished: 9, Begun: 9}, "9 videos were encoded, 10"},
		{audit.Encodes{Finished: 10, Begun: 9}, "log has only 9 begun"},
		{audit.Encodes{Finished: 10, Begun: 11, Repeated: 1, Again: []string{"v1/x"}}, "encoded again after its end: v1/x"},
	} {
		o := outcome{scene: "infer", encodes: test.encodes, strikes: strikes}
		o.judgeEncodes(10)
		text := table(options{videos: 10}, []outcome{o})
		if got := strings.Join(o.violations, "\n"); (test.want == "") != (got == "") || !strings.Contains(text, test.want) || !strings.Contains(text, "| infer-0, cut infer-1 |") {
			t.Errorf("%+v: %q, want %q; told:\n%s", test.encodes, got, test.want, text)
		}
		if (verdict([]outcome{{}, o}) == nil) != (test.want == "") {
			t.Errorf("%+v: the verdict is another", test.encodes)
		}
	}
}

// Played together, all strikes fall on one job, in order; the first at the client is a submission's.
func TestPlays(t *testing.T) {
	t.Parallel()
	o := options{only: []string{"disk", "client"}, seed: 1, times: 3}
	apart := o.plays()
	if len(apart) != 2 || apart[0].name != "disk" || apart[1].name != "client" {
		t.Fatalf("%+v, want a job for each scene, in order", apart)
	}
	o.together = true
	one := o.plays()
	if len(one) != 1 || len(one[0].strikes) != 6 || !slices.IsSortedFunc(one[0].strikes, func(a, b strike) int { return cmp.Compare(a.at, b.at) }) {
		t.Fatalf("%+v, want one job with all six strikes in order", one)
	}
	for _, s := range slices.Concat(apart[0].strikes, apart[1].strikes) {
		if !slices.Contains(one[0].strikes, s) {
			t.Errorf("%+v is left out", s)
		}
	}
}

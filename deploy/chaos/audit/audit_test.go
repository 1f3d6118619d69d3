package audit_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/deploy/chaos/audit"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/job"
)

// records are those of a job of three items, one of which had options.
func records() []job.Record {
	return []job.Record{
		{ID: "a", Variant: "v", Status: job.StatusOK, Result: &job.Result{Answer: job.Answer{Text: "red"}}},
		{ID: "b", Variant: "v", Status: job.StatusOK, Result: &job.Result{
			Answer: job.Answer{Text: "A", Letter: "A", OptionIndex: new(0)}, OptionLogprobs: []*float64{new(-0.1), nil},
		}},
		{ID: "c", Variant: "v", Status: job.StatusFailed, Failure: &job.Failure{Code: job.InputTruncated}},
	}
}

// Every planted violation is found, and told with what it is about.
func TestRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func([]job.Record) []job.Record
		want  string
	}{
		"undisturbed": {func(r []job.Record) []job.Record { return r }, ""},
		"other order, run and job": {func(r []job.Record) []job.Record {
			r[0].Job, r[0].Run.Attempts = "another", 7
			slices.Reverse(r)
			return r
		}, ""},
		"within tolerance": {func(r []job.Record) []job.Record { r[1].OptionLogprobs[0] = new(-0.1009); return r }, ""},
		"doubled":          {func(r []job.Record) []job.Record { return append(r, r[0]) }, "a/v has more than one record"},
		"missing":          {func(r []job.Record) []job.Record { return r[1:] }, "a/v has no record"},
		"unknown": {func(r []job.Record) []job.Record {
			return append(r, job.Record{ID: "d", Variant: "v"})
		}, "d/v is no item of the job"},
		"failed": {func(r []job.Record) []job.Record {
			r[0].Status, r[0].Result, r[0].Failure = job.StatusFailed, nil, &job.Failure{Code: job.InternalLost, Detail: "why"}
			return r
		}, "a/v failed: internal/lost: why"},
		"failed otherwise": {func(r []job.Record) []job.Record {
			r[2].Failure = &job.Failure{Code: job.InternalLost, Detail: "why"}
			return r
		}, "c/v failed: internal/lost: why"},
		"other text":   {func(r []job.Record) []job.Record { r[0].Answer.Text = "blue"; return r }, `a/v answers "blue", undisturbed "red"`},
		"other option": {func(r []job.Record) []job.Record { r[1].Answer.OptionIndex = new(1); return r }, `b/v answers "A", undisturbed "A"`},
		"other log-probability": {func(r []job.Record) []job.Record {
			r[1].OptionLogprobs[0] = new(-0.102)
			return r
		}, "b/v has another log-probability of option 0"},
		"known log-probability": {func(r []job.Record) []job.Record {
			r[1].OptionLogprobs[1] = new(-3.0)
			return r
		}, "b/v has another log-probability of option 1"},
		"no log-probabilities": {func(r []job.Record) []job.Record {
			r[1].OptionLogprobs = nil
			return r
		}, "b/v has 0 log-probabilities, undisturbed 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			if diff := gocmp.Diff(want, audit.Records(records(), test.plant(records()))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const (
	a, b   = "198.18.77.17", "198.18.77.18" // the infer hosts
	worker = "198.18.77.16"
	clip   = "/clip/0a.safetensors"
	tokens = "/tokens/0b.safetensors"
)

// line is one of versitygw's log.
func line(addr, operation, key, status string) string {
	return strings.Join([]string{
		"chaos", "bucket", "[21/November/2026:22:57:49", "+0000]", addr, "chaos", "4SH7B5C603BGDL7D", operation, key, "/bucket/" + key, status,
		"-", "0", "52752", "4", "4", "-", "MinIO", "(linux;", "amd64)", "minio-go/v7.4.1",
	}, " ") + "\n"
}

func TestCountEncodes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		log  []string
		want audit.Encodes
	}{
		"once": {[]string{
			line(worker, "s3_PutObject", "v1/x"+clip, "200"), line(worker, "s3_HeadObject", "v1/x"+clip, "200"),
			line(a, "s3_HeadObject", "v1/x"+clip, "200"), line(a, "s3_GetObject", "v1/x"+clip, "200"), line(a, "s3_PutObject", "v1/x"+tokens, "200"),
			line(worker, "s3_PutObject", "v1/x/tokens/used", "200"), line(worker, "s3_GetObject", "v1/x"+tokens, "200"),
		}, audit.Encodes{Finished: 1, Begun: 1}},
		"without a cache": {[]string{
			line(a, "s3_GetObject", "v1/x"+clip, "200"), line(a, "s3_PutObject", "v1/x"+tokens, "200"),
		}, audit.Encodes{Finished: 1, Begun: 1}},
		"another bucket's": {[]string{
			strings.Replace(line(a, "s3_GetObject", "v1/x"+clip, "200"), " bucket ", " other ", 1),
		}, audit.Encodes{}},
		"begun and lost": {[]string{
			line(a, "s3_HeadObject", "v1/x"+clip, "200"), line(a, "s3_GetObject", "v1/x"+clip, "200"), line(a, "s3_HeadObject", "v1/x"+clip, "200"),
			line(b, "s3_HeadObject", "v1/x"+clip, "200"), line(b, "s3_GetObject", "v1/x"+clip, "200"), line(b, "s3_PutObject", "v1/x"+tokens, "200"),
		}, audit.Encodes{Finished: 1, Begun: 3, Repeated: 2}},
		"again after its end": {[]string{
			line(a, "s3_GetObject", "v1/x"+clip, "200"), line(a, "s3_PutObject", "v1/x"+tokens, "200"),
			line(b, "s3_GetObject", "v1/x"+clip, "200"), line(b, "s3_PutObject", "v1/x"+tokens, "412"),
		}, audit.Encodes{Finished: 1, Begun: 2, Repeated: 1, Again: []string{"v1/x" + tokens + " by " + b}}},
		"read, and found to be made": {[]string{
			line(a, "s3_GetObject", "v1/x"+clip, "200"), line(a, "s3_PutObject", "v1/x"+tokens, "200"),
			line(b, "s3_GetObject", "v1/x"+clip, "200"),
		}, audit.Encodes{Finished: 1, Begun: 2, Repeated: 1}},
		"both at once": {[]string{
			line(a, "s3_GetObject", "v1/x"+clip, "200"), line(b, "s3_GetObject", "v1/x"+clip, "200"),
			line(a, "s3_PutObject", "v1/x"+tokens, "200"), line(b, "s3_PutObject", "v1/x"+tokens, "412"),
		}, audit.Encodes{Finished: 1, Begun: 2, Repeated: 1}},
		"refused": {[]string{
			line(a, "s3_GetObject", "v1/x"+clip, "503"), line(a, "s3_GetObject", "v1/x"+clip, "200"), line(a, "s3_PutObject", "v1/x"+tokens, "503"),
		}, audit.Encodes{Begun: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, err := audit.ReadAccessLog(strings.NewReader("log starts 2026-11-21\n" + strings.Join(test.log, "")))
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(test.want, audit.CountEncodes(log, "bucket", []string{a, b})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is torn is named, and whatever is there is read.
func TestObjects(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for _, key := range []artifact.Key{"v1/x/clip/1", "v1/x/tokens/2", "jobs/j/results.jsonl", "videos/3"} {
		if _, err := store.Put(t.Context(), key, bytes.NewReader([]byte(key)), artifact.FirstWins); err != nil {
			t.Fatal(err)
		}
	}
	store.Damage("v1/x/tokens/2", []byte("v1/x"))
	n, torn, err := audit.Objects(t.Context(), store, "v1/", "jobs/")
	if err != nil || n != 3 || len(torn) != 1 || !strings.Contains(torn[0], "v1/x/tokens/2") {
		t.Errorf("%d objects, torn %q, %v; want 3, and v1/x/tokens/2 torn", n, torn, err)
	}
}

func TestRecordsOf(t *testing.T) {
	t.Parallel()
	store, want := memstore.New(), records()
	for name, part := range map[string][]job.Record{"results.jsonl": want[:2], "errors.jsonl": want[2:], "records/1/000000.jsonl": want[:1], "records/1/000001.jsonl": want[1:]} {
		text, err := job.WriteLines(part)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), artifact.JobFile("j-1", name), bytes.NewReader(text), artifact.FirstWins); err != nil {
			t.Fatal(err)
		}
	}
	results, pages, err := audit.RecordsOf(t.Context(), store, "j-1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([][]job.Record{want, want}, [][]job.Record{results, pages}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

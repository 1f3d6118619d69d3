package job_test

import (
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

var methods = []string{"rediprune", "none", "random"}

// load parses, completes and checks a job file as the command line does.
func load(text string) (job.Spec, error) {
	spec, err := job.ParseSpec([]byte(text), "job.yaml")
	if err != nil {
		return spec, err
	}
	spec = spec.WithDefaults()
	return spec, job.Locate(spec.Validate(methods), []byte(text), "job.yaml")
}

const smallest = "name: demo\nmanifest: m.jsonl\nbundle: b\n"

func TestSpecDefaults(t *testing.T) {
	t.Parallel()
	got, err := load(smallest)
	want := job.Spec{
		Name: "demo", Manifest: "m.jsonl", Bundle: "b",
		Frames:   job.Frames{Strategy: "uniform", Color: "tagged"},
		Prune:    job.Prunings{job.DefaultPruning()},
		Generate: job.Generation{Mode: job.ModeGenerate, MaxTokens: 32, TopP: 1},
		Fit:      job.FitRefuse,
		Limits:   job.Limits{Pixels: 8192 * 4320, Duration: 6 * time.Hour, Bytes: 64 << 30, Wall: 10 * time.Minute, Memory: 1 << 30},
		Priority: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("spec (-want +got):\n%s\nerror: %v", diff, err)
	}
}

func TestSpecVariants(t *testing.T) {
	t.Parallel()
	spec, err := load(smallest + `prune:
  - {method: rediprune, keep: 0.15}
  - {alpha: 0, query: question}
  - {method: random, seed: 3}
  - {method: none}
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range spec.Prune {
		got = append(got, p.Variant())
	}
	want := []string{"rediprune-0.15", "rediprune-0.15-a0-question", "random-0.15-s3", "none"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
}

func TestSpecSurvivesItsOwnYAML(t *testing.T) {
	t.Parallel()
	want, err := load(smallest + "limits: {wall: 30s}\nprune: {alpha: 0}\npriority: 0\nlabels: {a: b}\n")
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := load(string(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("round trip (-want +got):\n%s\nerror: %v\n%s", diff, err, text)
	}
}

func TestSpecErrorsNameFileLineAndField(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, want string }{
		{"unknown key", smallest + "framse: {count: 3}\n", `job.yaml:4: unknown field "framse"`},
		{"unknown nested key", smallest + "prune:\n  keeep: 0.2\n", `job.yaml:5: unknown field "keeep"`},
		{"wrong type", smallest + "frames: {count: many}\n", `job.yaml:4: cannot unmarshal string into Go struct field Spec.Frames of type int`},
		{"keep zero", smallest + "prune:\n  keep: 0\n", `job.yaml:5: prune.keep: 0: want more than 0, at most 1: the share of visual tokens kept`},
		{"keep above one", smallest + "prune:\n  - keep: 0.5\n  - keep: 1.5\n", `job.yaml:6: prune[1].keep: 1.5: want more than 0, at most 1: the share of visual tokens kept`},
		{"keep not a number", smallest + "prune: {keep: .nan}\n", `job.yaml:4: prune.keep: NaN: want more than 0, at most 1: the share of visual tokens kept`},
		{"method", smallest + "prune: {method: rediprun}\n", `job.yaml:4: prune.method: "rediprun": want one of rediprune, none, random`},
		{"same twice", smallest + "prune: [{keep: 0.2}, {keep: 0.2}]\n", `job.yaml:4: prune[1]: the same setting as prune[0] (rediprune-0.2)`},
		{"mode", smallest + "generate:\n  mode: guess\n", `job.yaml:5: generate.mode: "guess": want generate or score`},
		{"no bundle", "name: demo\nmanifest: m\n", `job.yaml: bundle: missing: name the folder of a model bundle`},
		{"name", "name: My Job\nmanifest: m\nbundle: b\n", `job.yaml:1: name: "My Job": want lower-case letters, digits, _ and -, at most 63, starting with a letter or digit`},
		{"memory", smallest + "limits: {memory: 5}\n", `job.yaml:4: limits.memory: 5: want at least 64 MiB (67108864)`},
		{"not YAML", "name: [", `job.yaml:1: sequence end token ']' not found`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(tt.yaml)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	id, err := job.ParseID("demo-run-0123abcd.2")
	if want := (job.ID{Name: "demo-run", Digest: "0123abcd", N: 2}); err != nil || id != want {
		t.Fatalf("ParseID = %+v, %v; want %+v", id, err, want)
	}
	if got := id.Next().String(); got != "demo-run-0123abcd.3" {
		t.Errorf("Next = %s", got)
	}
	for _, bad := range []string{"", "demo", "demo-0123abcd", "demo-0123abcd.0", "Demo-0123abcd.1", "demo-0123abcg.1"} {
		if id, err := job.ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) = %+v, want an error", bad, id)
		}
	}
}

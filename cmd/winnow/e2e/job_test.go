package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// line is one line of a manifest made by a test.
type line struct {
	ID       string   `json:"id"`
	Video    string   `json:"video"`
	Question string   `json:"question"`
	Options  []string `json:"options,omitempty"`
	End      float64  `json:"end,omitempty"` // another end makes another clip of the same file
}

// question asks something of a clip; the answer does not matter.
func question(id, video string) line {
	return line{ID: id, Video: video, Question: "Is there a green cross?", Options: []string{"yes", "no"}}
}

// clipLines asks one question of each of n clips. There are 26 demo clips; further
// ones are the same files with another end.
func clipLines(r *rig, n int) []line {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(clipsDir(), "[0-9]*.*"))
	if err != nil || len(files) < 4 {
		r.t.Fatalf("%d clips in %s (%v), want the demo's", len(files), clipsDir(), err)
	}
	var lines []line
	for i := range n {
		one := question(fmt.Sprintf("q%02d", i), files[i%len(files)])
		if round := i / len(files); round > 0 {
			one.End = 5 - float64(round)/2
		}
		lines = append(lines, one)
	}
	return lines
}

// writeJob writes job.yaml and its manifest, and returns the job file's path.
func (r *rig) writeJob(name string, lines []line, variants ...string) string {
	r.t.Helper()
	var manifest strings.Builder
	for _, one := range lines {
		text, err := json.Marshal(one)
		if err != nil {
			r.t.Fatal(err)
		}
		fmt.Fprintf(&manifest, "%s\n", text)
	}
	r.write(name+".jsonl", manifest.String())
	yaml := fmt.Sprintf("name: %s\nmanifest: %s.jsonl\nbundle: %s\n", name, name, bundleDir())
	if len(variants) > 0 {
		yaml += "prune:\n"
	}
	for _, variant := range variants {
		method, keep, _ := strings.Cut(variant, "-")
		yaml += fmt.Sprintf("  - {method: %s, keep: %s}\n", method, keep)
	}
	return r.write(name+".yaml", yaml)
}

func (r *rig) write(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// records parses what `winnow run --json` or `winnow results` printed.
func (c *command) records() []job.Record {
	c.t.Helper()
	var found []job.Record
	lines := bufio.NewScanner(strings.NewReader(c.out.String()))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one job.Record
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			c.t.Fatalf("output is no record: %v: %.300s", err, lines.Text())
		}
		found = append(found, one)
	}
	return found
}

// wantEachOnce wants one record of every (id, variant), in manifest order.
func wantEachOnce(r *rig, records []job.Record, lines []line, variants ...string) {
	r.t.Helper()
	var want, got []string
	for _, one := range lines {
		for _, variant := range variants {
			want = append(want, one.ID+" "+variant)
		}
	}
	for _, one := range records {
		got = append(got, one.ID+" "+one.Variant)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("records are not each (id, variant) once in manifest order (-want +got):\n%s", diff)
	}
}

// wantAllOK names every record that failed.
func wantAllOK(r *rig, records []job.Record) {
	r.t.Helper()
	for _, one := range records {
		if one.Status != job.StatusOK {
			r.t.Errorf("%s %s: %v, want it answered", one.ID, one.Variant, one.Failure)
		}
	}
}

// wantFailed wants these items to have failed, each with its code, and no others.
func wantFailed(r *rig, records []job.Record, want map[string]job.Code) {
	r.t.Helper()
	got := map[string]job.Code{}
	for _, one := range records {
		if one.Failure != nil {
			got[one.ID] = one.Failure.Code
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("failure codes by item (-want +got):\n%s", diff)
	}
}

// jobLine is how `winnow run` names its job on stderr.
var jobLine = regexp.MustCompile(`(?m)^job (\S+) (started|resumed);`)

// job is the id and the outcome that the finished command named.
func (c *command) job() (id, outcome string) {
	c.t.Helper()
	match := jobLine.FindStringSubmatch(c.err.String())
	if match == nil {
		c.t.Fatalf("winnow named no job; stderr:\n%s", c.tail())
	}
	return match[1], match[2]
}

func (c *command) jobID() string {
	c.t.Helper()
	id, _ := c.job()
	return id
}

// summary reads a job's summary.json from the S3 server's tree.
func (r *rig) summary(id string) workflows.Summary {
	r.t.Helper()
	var s workflows.Summary
	paths := r.objects(filepath.Join("jobs", id, "summary.json"))
	if len(paths) != 1 || !readJSON(paths[0], &s) {
		r.t.Fatalf("job %s has %d readable summaries, want 1", id, len(paths))
	}
	return s
}

// finalRecords reads results.jsonl and errors.jsonl of a job, unordered union.
func (r *rig) finalRecords(id string) map[string]job.Status {
	r.t.Helper()
	found := map[string]job.Status{}
	for _, name := range []string{"results.jsonl", "errors.jsonl"} {
		for _, path := range r.objects(filepath.Join("jobs", id, name)) {
			text, err := os.ReadFile(path)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n") {
				if row == "" {
					continue
				}
				var one job.Record
				if err := json.Unmarshal([]byte(row), &one); err != nil {
					r.t.Fatalf("%s: %v", path, err)
				}
				key := one.ID + " " + one.Variant
				if was, twice := found[key]; twice {
					r.t.Errorf("%s stands as %s and as %s in the final files, want it once", key, was, one.Status)
				}
				found[key] = one.Status
			}
		}
	}
	return found
}

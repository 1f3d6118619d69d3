package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/artifact/life"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// outside is servers that winnow is told of by file and environment alone.
type outside struct {
	*rig
	devstack *stacktest.Devstack
}

// newOutside starts servers, and writes services.yaml; secrets are variables.
func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{rig: newRig(t)}
	o.devstack = stacktest.StartIn(t, t.TempDir())
	s := o.devstack.Services
	o.write("services.yaml", fmt.Sprintf(`
temporal:
  address: %s
  namespace: %s
nats:
  urls: [%s]
  user: %s
s3:
  endpoint: http://%s
  bucket: %s
  access_key: %s
`, s.Temporal.Address, s.Temporal.Namespace, s.NATS.URL, s.NATS.User, s.S3.Endpoint, s.S3.Bucket, s.S3.AccessKey))
	o.env = []string{
		stack.FileVariable + "=services.yaml",
		"WINNOW_NATS_PASSWORD=" + s.NATS.Password, "WINNOW_S3_SECRET_KEY=" + s.S3.SecretKey,
	}
	return o
}

// jobs are the folders of jobs in the S3 server's tree.
func (o *outside) jobs() []string {
	o.t.Helper()
	found, err := filepath.Glob(filepath.Join(o.devstack.State, "s3", o.devstack.Services.S3.Bucket, "jobs", "*"))
	if err != nil {
		o.t.Fatal(err)
	}
	return found
}

// infer starts winnow-infer on the services.
func (o *outside) infer(args ...string) *command {
	args = append([]string{"--bundle", bundleDir(), "--threads", "1", "--state", o.state}, args...)
	return o.launch(&command{t: o.t, cmd: exec.Command(program("winnow-infer"), args...), exited: make(chan struct{})})
}

// TestOutside runs a job on servers of one's own, as the README tells: doctor,
// submit, worker and winnow-infer. Nothing of it starts or reads an embedded stack.
func TestOutside(t *testing.T) {
	o := newOutside(t)
	o.winnow(0, "doctor", "--fix")
	lines := clipLines(o.rig, 4)
	lines[3].Video = lines[0].Video // the same file is sent once
	o.writeJob("mine", lines)
	sent := o.winnow(0, "submit", "mine.yaml")
	for _, want := range []string{"videos: 3 of 3 sent to S3", "nobody serves task queue winnow, winnow-call, winnow-decode", "nobody serves bundle"} {
		if !strings.Contains(sent.err.String(), want) {
			t.Errorf("submit says %q, want %q", sent.err.String(), want)
		}
	}
	id := strings.TrimSpace(sent.out.String())
	for _, verb := range []string{"pause", "resume"} {
		if said := o.winnow(0, verb, id).err.String(); strings.Contains(said, "nobody serves") != (verb == "resume") {
			t.Errorf("%s says %q, want resume, and it alone, to name who is missing", verb, said)
		}
	}
	cache := filepath.Join(o.dir, "cache")
	metrics := stacktest.ClosedPort(t)
	worker, infer := o.start("worker", "--cache", cache, "--metrics", metrics), o.infer("--cache", cache+"-infer")
	o.winnow(0, "watch", id)
	o.wantMetrics(metrics)
	records := o.winnow(0, "results", id).records()
	wantEachOnce(o.rig, records, lines, "rediprune-0.15")
	wantAllOK(o.rig, records)
	for _, r := range records {
		if !strings.HasPrefix(r.Video, "s3://"+o.devstack.Services.S3.Bucket+"/videos/") {
			t.Errorf("%s: video %s, want where it was sent to", r.ID, r.Video)
		}
	}
	for _, folder := range []string{cache, cache + "-infer"} {
		if kept, _ := filepath.Glob(filepath.Join(folder, "????????*")); len(kept) < 3 {
			t.Errorf("%s keeps %v, want what was read of three videos", folder, kept)
		}
	}
	if said := o.winnow(1, "worker", "--cache", cache).err.String(); !strings.Contains(said, "give every process a folder of its own") {
		t.Errorf("a second worker with the same cache says %q", said)
	}
	again := o.winnow(0, "submit", "mine.yaml")
	if said := again.err.String(); !strings.Contains(said, "0 of 3 sent to S3") || strings.Contains(said, "nobody serves") {
		t.Errorf("the second submit says %q, want nothing sent and all served", said)
	}
	if found := o.winnow(0, "doctor", "--json").out.String(); strings.Contains(found, `"wrong"`) || strings.Contains(found, `"warning"`) {
		t.Errorf("doctor finds fault while a job runs:\n%s", found)
	}
	o.winnow(0, "watch", strings.TrimSpace(again.out.String()))
	var receipt life.Receipt
	if err := json.Unmarshal(o.winnow(0, "forget", lines[0].Video).out.Bytes(), &receipt); err != nil || receipt.Removed[life.Video].Objects != 1 {
		t.Errorf("forgetting a video that was sent removed %+v (%v), want its copy too", receipt.Removed, err)
	}
	if jobs := o.jobs(); len(jobs) != 2 {
		t.Errorf("there are jobs %v, want the two", jobs)
	}
	for _, c := range []*command{worker, infer} {
		c.signal(syscall.SIGTERM)
		c.wait(0)
	}
	if _, err := os.Stat(filepath.Join(o.state, stack.FileName)); err == nil {
		t.Error("an embedded stack was started")
	}
	o.wantNoSecrets(id, worker, infer)
}

// wantMetrics wants a worker that has run a job to be ready, and to tell of it.
func (o *outside) wantMetrics(address string) {
	o.t.Helper()
	for path, want := range map[string]string{
		"/readyz": "ok", "/healthz": "ok",
		"/metrics": `winnow_activity_seconds_count{activity="Encode",outcome="ok"} 3`,
	} {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			o.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(text), want) {
			o.t.Errorf("%s: %v, %q, want %q", path, err, text, want)
		}
	}
}

// wantNoSecrets looks for the secrets in everything that was written: by
// Temporal, NATS and S3, below the state folder, and on the programs' outputs.
func (o *outside) wantNoSecrets(known string, outputs ...*command) {
	o.t.Helper()
	s := o.devstack.Services
	secrets := [][]byte{[]byte(s.NATS.Password), []byte(s.S3.SecretKey)}
	if err := o.devstack.Stop(); err != nil {
		o.t.Fatal(err)
	}
	seen := false
	check := func(where string, text []byte) {
		seen = seen || bytes.Contains(text, []byte(known))
		for i, secret := range secrets {
			if bytes.Contains(text, secret) {
				o.t.Errorf("%s holds secret %d", where, i)
			}
		}
	}
	for _, c := range outputs {
		check(c.cmd.Path+"'s output", append(c.out.Bytes(), c.err.Bytes()...))
	}
	for _, root := range []string{o.dir, o.devstack.State} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || entry.Name() == "credentials.json" { // the servers' own
				return err
			}
			text, err := os.ReadFile(path)
			check(path, text)
			return err
		})
		if err != nil {
			o.t.Fatal(err)
		}
	}
	if !seen {
		o.t.Errorf("%s stands nowhere: the search is broken", known)
	}
}

// TestOutsideRefused gives every program services that cannot be used: one line
// with the reason, exit 1, and no job.
func TestOutsideRefused(t *testing.T) {
	o := newOutside(t)
	s := o.devstack.Services
	job := o.writeJob("mine", clipLines(o.rig, 1))
	none := stacktest.ClosedPort(t)
	cases := []struct {
		name string
		args []string
		env  string
		want string
	}{
		{"no Temporal", []string{"--temporal-address", none}, "", "temporal at " + none},
		{"no namespace", []string{"--temporal-namespace", "nix"}, "", `has no namespace "nix"`},
		{"no NATS", []string{"--nats-urls", "nats://" + none}, "", "nats at nats://" + none},
		{"wrong password", nil, "WINNOW_NATS_PASSWORD=hidden", "check nats.user and nats.password"},
		{"no S3", []string{"--s3-endpoint", "http://" + none}, "", "connection refused: look whether the server runs"},
		{"wrong key", nil, "WINNOW_S3_SECRET_KEY=hidden", "check s3.access_key and s3.secret_key"},
		{"no bucket", []string{"--s3-bucket", "nobodys"}, "", `s3 bucket "nobodys"`},
		{"no writing", []string{"--s3-endpoint", "http://" + stacktest.FrontS3(t, s.S3.Endpoint, nil, stacktest.Forbid("PUT"), nil)}, "", "let these credentials put and delete objects"},
	}
	good := o.env
	for _, c := range cases {
		o.env = append(good[:len(good):len(good)], c.env)
		o.wantRefused(c.name, c.want, o.start(append([]string{"submit", job}, c.args...)...))
		o.wantRefused(c.name, c.want, o.start(append([]string{"worker"}, c.args...)...))
		if !strings.Contains(strings.Join(c.args, " "), "--temporal") { // winnow-infer has no use for Temporal
			o.wantRefused(c.name, c.want, o.infer(c.args...))
		}
	}
	o.env = good
	o.otherStream()
	want := "stream WINNOW_INFER has other settings than Winnow needs: "
	o.wantRefused("another stream", want, o.start("submit", job))
	o.wantRefused("another stream", want, o.start("worker"))
	o.wantRefused("another stream", want, o.infer())
	if found := o.winnow(1, "doctor", "--fix").out.String(); !strings.Contains(found, "max_msgs_per_subject is 0, want 1") {
		t.Errorf("doctor does not tell the difference:\n%s", found)
	}
	if jobs := o.jobs(); len(jobs) > 0 {
		t.Errorf("refused jobs left %v", jobs)
	}
}

func (o *outside) wantRefused(name, want string, c *command) {
	o.t.Helper()
	c.wait(1)
	said := strings.TrimSpace(c.err.String())
	last := said[strings.LastIndex(said, "\n")+1:]
	if !strings.Contains(last, want) {
		o.t.Errorf("%s: %v says %q, want %q", name, c.cmd.Args, said, want)
	}
	if strings.Contains(said, "hidden") {
		o.t.Errorf("%s: %v shows the secret: %q", name, c.cmd.Args, said)
	}
}

// otherStream makes the queue as somebody else might. Whoever was refused by S3
// last may have made it already.
func (o *outside) otherStream() {
	o.t.Helper()
	c := o.devstack.Services.NATS
	conn, err := nats.Connect(c.URL, nats.UserInfo(c.User, c.Password))
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err == nil {
		if err = js.DeleteStream(o.t.Context(), bus.InferStream); errors.Is(err, jetstream.ErrStreamNotFound) {
			err = nil
		}
	}
	if err == nil {
		_, err = js.CreateStream(o.t.Context(), jetstream.StreamConfig{Name: bus.InferStream, Subjects: []string{"winnow.infer.v1.>"}})
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestRunOutside runs a job by one command on servers of one's own, beside a
// `winnow up` on them, and refuses to mix it up with an embedded stack.
func TestRunOutside(t *testing.T) {
	o := newOutside(t)
	lines := clipLines(o.rig, 2)
	job := o.writeJob("mine", lines)
	up := o.start("up")
	o.eventually("winnow up is ready", func() bool { u, ok := o.supervisor(); return ok && u.alive() })
	ran := o.winnow(0, "run", job, "--json")
	wantEachOnce(o.rig, ran.records(), lines, "rediprune-0.15")
	wantAllOK(o.rig, ran.records())
	if _, running := o.running()["devstack"]; running {
		t.Error("servers were started beside those outside")
	}
	env := o.env
	o.env = nil
	if said := o.winnow(1, "ls").err.String(); !strings.Contains(said, "this command was told of the embedded stack: stop that one, or choose another --state") {
		t.Errorf("without services outside, ls says %q", said)
	}
	o.env = env
	up.signal(syscall.SIGTERM)
	up.wait(0)
	o.wantNoSecrets(ran.jobID(), up)
}

// TestOutsideVideosAreMissing names the lines whose videos cannot be sent, and runs nothing.
func TestOutsideVideosAreMissing(t *testing.T) {
	o := newOutside(t)
	lines := clipLines(o.rig, 3)
	lines[1].Video = "nowhere.mp4"
	c := o.winnow(2, "submit", o.writeJob("mine", lines))
	for _, want := range []string{"mine.jsonl:2: video: ", "nowhere.mp4: no such file", "manifest: 1 line of videos that cannot be sent; nothing was run"} {
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("submit says %q, want %q", c.err.String(), want)
		}
	}
	if listed := o.winnow(0, "ls", "--json").out.String(); listed != "" {
		t.Errorf("there is a job: %s", listed)
	}
}

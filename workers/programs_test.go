package workers

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// program is one of the programs that `make build` builds.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	return path
}

// movingSquare is a GIF of n frames, a tenth of a second each.
func movingSquare(t *testing.T, n int) []byte {
	t.Helper()
	var film gif.GIF
	for i := range n {
		frame := image.NewPaletted(image.Rect(0, 0, 64, 48), color.Palette{color.Black, color.RGBA{R: 255, A: 255}})
		for y := range 16 {
			for x := range 16 {
				frame.SetColorIndex(4*i%48+x, 16+y, 1)
			}
		}
		film.Image, film.Delay = append(film.Image, frame), append(film.Delay, 10)
	}
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, &film); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// realRig is a job on a stack of its own, decoded by winnow-decode and answered
// by winnow-infer with a bundle of the real shape.
func realRig(t *testing.T) *rig {
	t.Helper()
	decode, infer := program(t, "winnow-decode"), program(t, "winnow-infer")
	devstack := stacktest.StartIn(t, t.TempDir())
	s, err := connect(t.Context(), &devstack.Services, "real programs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	dir, err := filepath.Abs("../infer/onnx/testdata/tiny")
	if err != nil {
		t.Fatal(err)
	}
	_, digest, err := bundle.Verify(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	startInfer(t, infer, devstack.State, dir)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serveWith(ctx, t.TempDir(), decode, Deployment{}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	r := &rig{services: s, id: jobName(t) + "-00000000.1", dir: t.TempDir(), bundle: digest, pageSize: 500}
	r.spec = testSpec(dir, twoVariants)
	return r
}

func startInfer(t *testing.T, program, state, bundle string) {
	t.Helper()
	cmd := exec.Command(program, "--state", state, "--bundle", bundle)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("winnow-infer: %v", err)
		}
	})
}

func TestRealProgramsAnswer(t *testing.T) {
	t.Parallel()
	r := realRig(t)
	film := movingSquare(t, 11)
	r.broken(t, "film.gif", string(film), 3)
	r.broken(t, "text.mp4", "not a film", 1)
	r.broken(t, "cut.mp4", "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2", 1)
	r.start(t)
	if result := r.wait(t); result.Tally.OK != 6 || result.Tally.BytesFetched < int64(len(film)) {
		t.Errorf("result = %+v", result)
	}
	ends := r.ends(t)
	for _, id := range []string{"text.mp4-0 none", "cut.mp4-0 none"} {
		if ends[id].Kind() != job.KindInput {
			t.Errorf("%s ended as %q", id, ends[id])
		}
	}
	for _, record := range r.read(t, "results.jsonl") {
		r.wantWhole(t, record)
	}
	again := r.next(func(s *job.Spec) { s.Prune = job.Prunings{{Method: "uniform", Keep: 0.25}} })
	again.start(t)
	if result := again.wait(t); result.Tally.Cached.Tokens != 1 || result.Tally.Timing.Decode+result.Tally.Timing.Encode != 0 {
		t.Errorf("another keep decoded or encoded again: %+v", result.Tally)
	}
}

// wantWhole checks what every record of a film must say of its frames and tokens.
func (r *rig) wantWhole(t *testing.T, record job.Record) {
	t.Helper()
	kept, total := 0, 0
	for _, f := range record.Frames {
		kept, total = kept+f.Kept, total+f.Total
	}
	if kept != record.Tokens.VisualKept || total != record.Tokens.VisualTotal || kept == 0 {
		t.Errorf("%s %s: frames hold %d of %d tokens, the reply says %+v", record.ID, record.Variant, kept, total, record.Tokens)
	}
	if record.Variant == "none" && kept != total || record.Variant != "none" && kept == total {
		t.Errorf("%s kept %d of %d", record.Variant, kept, total)
	}
	if !slices.IsSortedFunc(record.Frames, func(a, b job.Frame) int { return a.Index - b.Index }) || record.Frames[len(record.Frames)-1].PTS != 1 {
		t.Errorf("frames = %+v, want the last one second in", record.Frames)
	}
	if record.Model.Digest != r.bundle || record.Answer.Parse == "" || record.Correct == nil {
		t.Errorf("record = %+v", record.Result)
	}
}

package client

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// answer writes a child's result, a clip of one pixel, to a file.
func answer(t *testing.T) string {
	t.Helper()
	clip := wire.File(tensor.New[uint8](1, 1, 1, 3), []int64{0}, []float64{0}, wire.Info{TotalFrames: 1})
	var result bytes.Buffer
	if err := wire.WriteClip(&result, clip, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "result")
	if err := os.WriteFile(path, result.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A driver that takes the child with it costs no clip: another child decodes in software.
func TestRunTriesSoftwareWhereADeviceDied(t *testing.T) {
	t.Parallel()
	content := bytesSource{content: []byte("abcd")}
	req := request(job.Limits{})
	req.Container = answer(t)
	for _, c := range []struct {
		asked wire.Hwaccel
		want  string
	}{{wire.HwaccelNone, ""}, {wire.HwaccelCUDA, "cuda: decode: input/crash: "}, {wire.HwaccelAuto, "auto: decode: input/crash: "}} {
		req.Hwaccel = c.asked
		clip, err := misbehaving(t, "driver-crash").Run(t.Context(), req, content)
		if err != nil {
			t.Fatalf("%s: %v", c.asked, err)
		}
		if why := clip.Info.HwaccelFallback; !strings.HasPrefix(why, c.want) || (c.want == "") != (why == "") {
			t.Errorf("%s: the reason is %q", c.asked, why)
		}
	}
}

// A video that ends software too ends as ever.
func TestRunFailsWhereSoftwareDiesToo(t *testing.T) {
	t.Parallel()
	req := request(job.Limits{})
	req.Hwaccel = wire.HwaccelAuto
	_, err := misbehaving(t, "crash").Run(t.Context(), req, bytesSource{content: []byte("abcd")})
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Code != job.InputCrash {
		t.Errorf("%v, want input/crash", err)
	}
}

// Only drivers' variables reach a child, and only one that may load a driver.
func TestDriverEnv(t *testing.T) {
	t.Setenv("CUDA_VISIBLE_DEVICES", "1")
	t.Setenv("WINNOW_TEST_SECRET", "x")
	if env := driverEnv(wire.Request{Hwaccel: wire.HwaccelNone}); len(env) > 0 {
		t.Errorf("software got %v", env)
	}
	env := driverEnv(wire.Request{Hwaccel: wire.HwaccelAuto})
	if !slices.Contains(env, "CUDA_VISIBLE_DEVICES=1") || strings.Contains(strings.Join(env, " "), "SECRET") {
		t.Errorf("a device's child got %v", env)
	}
}

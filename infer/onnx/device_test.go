package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/infer/device"
)

// machine is a folder with a library, these provider libraries and so many cards.
func machine(t *testing.T, cards int, providers ...device.Provider) surroundings {
	t.Helper()
	root := t.TempDir()
	touch := func(path ...string) string {
		file := filepath.Join(append([]string{root}, path...)...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	real := touch("lib", "libonnxruntime.so.1.24.3")
	for _, p := range providers {
		touch("lib", providerFile(p))
	}
	for i := range cards {
		touch("dev", "nvidia"+string(rune('0'+i)))
	}
	touch("dev", "nvidiactl")
	link := filepath.Join(root, "libonnxruntime.so")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	return look(link, root)
}

// Which device runs graphs, and what is said where none can, without having one.
func TestChoose(t *testing.T) {
	t.Parallel()
	both := []device.Provider{device.CUDA, device.TensorRT}
	bare, full := machine(t, 0), machine(t, 2, both...)
	works := func(device.Device) error { return nil }
	fails := func(device.Device) error { return errors.New("libcudnn.so.9: cannot open") }
	for _, c := range []struct {
		name  string
		in    surroundings
		asked string
		try   func(device.Device) error
		want  string
		says  string // of the reason, or of the error where want is empty
	}{
		{"auto with a card", full, "auto", works, "cuda:0", ""},
		{"auto without a library", bare, "auto", works, "cpu", "libonnxruntime_providers_cuda.so does not lie beside"},
		{"auto without a card", machine(t, 0, both...), "auto", works, "cpu", "no NVIDIA card"},
		{"auto without cuDNN", full, "auto", fails, "cpu", "libcudnn"},
		{"the CPU though there is a card", full, "cpu", works, "cpu", ""},
		{"the CPU is not tried", bare, "cpu", works, "cpu", ""},
		{"the second card", full, "cuda:1", works, "cuda:1", ""},
		{"a third card", full, "cuda:2", works, "", "has 2 cards"},
		{"cuda without a library", machine(t, 1), "cuda:0", works, "", "onnxruntime-gpu"},
		{"cuda without a card", machine(t, 0, device.CUDA), "cuda:0", works, "", "install the driver"},
		{"cuda without cuDNN", full, "cuda:0", fails, "", "libcudnn.so.9: cannot open: install the CUDA and cuDNN"},
		{"tensorrt", full, "tensorrt:1", works, "tensorrt:1", ""},
		{"tensorrt of a build with CUDA alone", machine(t, 1, device.CUDA), "tensorrt:0", works, "", "libonnxruntime_providers_tensorrt.so"},
	} {
		asked, err := device.Parse(c.asked)
		if err != nil {
			t.Fatal(err)
		}
		got, why, err := c.in.choose(asked, c.try)
		switch {
		case c.want == "":
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want an error with %q", c.name, err, c.says)
			}
		case err != nil || got.String() != c.want || !strings.Contains(why, c.says) || (why == "") != (c.says == ""):
			t.Errorf("%s: %s, %q, %v, want %s with %q", c.name, got, why, err, c.want, c.says)
		}
	}
}

func TestTensorRTRunsTheTowerAlone(t *testing.T) {
	t.Parallel()
	tensorRT, cuda := device.Device{Provider: device.TensorRT, Card: 1}, device.Device{Provider: device.CUDA, Card: 1}
	for _, c := range []struct {
		path     string
		on, want device.Device
	}{
		{"b/vision.onnx", tensorRT, tensorRT},
		{"b/projector.onnx", tensorRT, cuda},
		{"b/decoder.onnx", tensorRT, cuda},
		{"b/decoder.onnx", cuda, cuda},
		{"b/decoder.onnx", device.Device{Provider: device.CPU}, device.Device{Provider: device.CPU}},
	} {
		if got := deviceOf(c.path, c.on); got != c.want {
			t.Errorf("%s on %s runs on %s, want %s", c.path, c.on, got, c.want)
		}
	}
}

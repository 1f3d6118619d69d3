package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
)

// PythonVariable names an interpreter that has torch.
const PythonVariable = "WINNOW_TORCH_PYTHON"

// rows is what testdata/make.py saves.
func rows(t *testing.T, dtype tensor.DType) tensor.Tensor {
	t.Helper()
	d := tensor.New[float32](300, 3)
	for i := range d.Data {
		d.Data[i] = float32(i-450) / 7
	}
	narrow, err := Narrow(d, dtype)
	if err != nil {
		t.Fatal(err)
	}
	return narrow
}

func written(t *testing.T, of tensor.Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, of); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entries are a ZIP file's contents by name, without the folder.
func entries(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range z.File {
		if f.Method != zip.Store {
			t.Errorf("%s is compressed", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(f.Name, "/")
		if all[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func types() map[string]tensor.DType {
	return map[string]tensor.DType{"f16": tensor.F16, "bf16": BF16, "f32": tensor.F32}
}

// Every entry that torch needs is equal to torch's own, byte for byte.
func TestEqualsTorchSave(t *testing.T) {
	t.Parallel()
	for name, dtype := range types() {
		text, err := os.ReadFile(filepath.Join("testdata", name+".pt"))
		if err != nil {
			t.Fatal(err)
		}
		want, got := entries(t, text), entries(t, written(t, rows(t, dtype)))
		for extra := range want {
			if path.Base(extra) == "serialization_id" || strings.HasPrefix(extra, ".") {
				delete(want, extra)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-torch +ours):\n%s", name, diff)
		}
	}
}

func TestPickleOfLargeShape(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "large.pkl"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := pickle(tensor.Tensor{DType: tensor.F16, Shape: tensor.Shape{70000, 2}, Bytes: make([]byte, 280000)})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n%s\nwant\n%s", err, hex.Dump(got), hex.Dump(want))
	}
}

// The whole file is the same bytes wherever and whenever it is written.
func TestGolden(t *testing.T) {
	t.Parallel()
	of, err := Narrow(tensor.Dense[float32]{Shape: tensor.Shape{1, 2}, Data: []float32{1, -2}}, tensor.F16)
	if err != nil {
		t.Fatal(err)
	}
	got := hex.Dump(written(t, of))
	golden := filepath.Join("testdata", "golden.hex")
	if os.Getenv("WINNOW_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	of := rows(t, tensor.F16)
	n, err := Size(of)
	if want := len(written(t, of)); err != nil || n != int64(want) {
		t.Errorf("%d, %v, want %d", n, err, want)
	}
}

// What torch itself reads is what was written.
func TestTorchLoads(t *testing.T) {
	t.Parallel()
	python := os.Getenv(PythonVariable)
	if python == "" {
		t.Skip(PythonVariable + " names no Python with torch; the fixtures that torch wrote are compared with all the same")
	}
	for name, dtype := range types() {
		of := rows(t, dtype)
		file := filepath.Join(t.TempDir(), name+".pt")
		if err := os.WriteFile(file, written(t, of), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, filepath.Join("testdata", "load.py"), file)
		cmd.Stderr = os.Stderr
		said, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		checkLoaded(t, said, of)
	}
}

func checkLoaded(t *testing.T, said []byte, of tensor.Tensor) {
	t.Helper()
	var got struct {
		DType  string
		Shape  []int
		Values []float32
	}
	if err := json.Unmarshal(said, &got); err != nil {
		t.Fatal(err)
	}
	names := map[tensor.DType]string{tensor.F16: "torch.float16", BF16: "torch.bfloat16", tensor.F32: "torch.float32"}
	if got.DType != names[of.DType] || !cmp.Equal(got.Shape, []int(of.Shape)) {
		t.Errorf("torch loads %s %v, want %s %v", got.DType, got.Shape, names[of.DType], of.Shape)
	}
	again, err := Narrow(tensor.Dense[float32]{Shape: of.Shape, Data: got.Values}, of.DType)
	if err != nil || !bytes.Equal(again.Bytes, of.Bytes) {
		t.Errorf("%s: torch loads other values, %v", of.DType, err)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]tensor.Tensor{
		"integers":       {DType: tensor.I64, Shape: tensor.Shape{1, 1}, Bytes: make([]byte, 8)},
		"one dimension":  {DType: tensor.F16, Shape: tensor.Shape{1}, Bytes: make([]byte, 2)},
		"too few bytes":  {DType: tensor.F16, Shape: tensor.Shape{1, 2}, Bytes: make([]byte, 2)},
		"too many rows":  {DType: tensor.F16, Shape: tensor.Shape{1 << 30, 4}},
		"negative shape": {DType: tensor.F16, Shape: tensor.Shape{-1, 4}},
	} {
		if err := Write(io.Discard, of); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestNarrowRefuses(t *testing.T) {
	t.Parallel()
	inf, nan := float32(math.Inf(-1)), float32(math.NaN())
	for dtype, values := range map[tensor.DType][]float32{
		tensor.F16: {65520, inf, nan}, BF16: {math.MaxFloat32, inf, nan}, tensor.F32: {inf, nan}, tensor.I32: {1},
	} {
		for _, x := range values {
			if _, err := Narrow(tensor.Dense[float32]{Shape: tensor.Shape{1, 1}, Data: []float32{x}}, dtype); err == nil {
				t.Errorf("%v became %s", x, dtype)
			}
		}
	}
}

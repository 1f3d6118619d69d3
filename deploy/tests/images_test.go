package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const (
	rootDir     = "../.."
	imageUser   = 10001
	imageFolder = "/var/lib/winnow"
)

// stages parses the Dockerfile as a build does.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	file, err := os.Open("../images/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tree, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Warnings) > 0 {
		t.Errorf("warnings: %v", tree.Warnings)
	}
	found, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// images are the stages that are run, not built from.
func images(t *testing.T) (found []instructions.Stage) {
	t.Helper()
	for _, stage := range stages(t) {
		if !slices.Contains([]string{"build", "onnxruntime-cuda"}, stage.Name) {
			found = append(found, stage)
		}
	}
	if len(found) != 3 {
		t.Fatalf("%d images", len(found))
	}
	return found
}

func instruction[T any](stage instructions.Stage) (found []T) {
	for _, one := range stage.Commands {
		if typed, ok := one.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

func TestBases(t *testing.T) {
	t.Parallel()
	names := []string{}
	for _, stage := range stages(t) {
		if !slices.Contains(names, stage.BaseName) {
			checkPinned(t, stage.Name, stage.BaseName)
		}
		names = append(names, stage.Name)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	for _, image := range images(t) {
		users := instruction[*instructions.UserCommand](image)
		if len(users) != 1 || users[0].User != "10001:10001" {
			t.Errorf("%s runs as %v", image.Name, users)
		}
		if folders := instruction[*instructions.WorkdirCommand](image); len(folders) != 1 || folders[0].Path != imageFolder {
			t.Errorf("%s works in %v", image.Name, folders)
		}
		if signals := instruction[*instructions.StopSignalCommand](image); len(signals) != 1 || signals[0].Signal != "SIGTERM" {
			t.Errorf("%s is stopped by %v", image.Name, signals)
		}
		labels := map[string]bool{}
		for _, l := range instruction[*instructions.LabelCommand](image) {
			for _, pair := range l.Labels {
				labels[strings.TrimPrefix(strings.Trim(pair.Key, `"`), "org.opencontainers.image.")] = true
			}
		}
		for _, want := range []string{"title", "description", "version", "revision", "licenses"} {
			if !labels[want] {
				t.Errorf("%s has no label %s", image.Name, want)
			}
		}
	}
}

// TestImageCommands: what an image runs by itself was copied into it, and has the flags that it is given.
func TestImageCommands(t *testing.T) {
	t.Parallel()
	makefile := readText(t, filepath.Join(rootDir, "Makefile"))
	for _, image := range images(t) {
		var copied []string
		for _, c := range instruction[*instructions.CopyCommand](image) {
			for _, source := range c.SourcePaths {
				copied = append(copied, filepath.Base(source))
				if name, ok := strings.CutPrefix(source, "/src/bin/"); ok && !strings.Contains(makefile, "-o $(BIN)/"+name+" ") {
					t.Errorf("%s takes %s, which the Makefile does not build", image.Name, source)
				}
			}
		}
		if entry := instruction[*instructions.EntrypointCommand](image); len(entry) > 0 {
			t.Errorf("%s has an entry point: `docker run IMAGE winnow …` is to work", image.Name)
		}
		commands := instruction[*instructions.CmdCommand](image)
		if len(commands) != 1 || !slices.Contains(copied, commands[0].CmdLine[0]) {
			t.Errorf("%s runs %v, and holds %v", image.Name, commands, copied)
			continue
		}
		checkCommand(t, image.Name, commands[0].CmdLine)
	}
}

// TestCopies: what is copied out of the checkout is there, and not kept out of the build.
func TestCopies(t *testing.T) {
	t.Parallel()
	ignore := readText(t, "../images/Dockerfile.dockerignore")
	names := map[string]bool{}
	for _, stage := range stages(t) {
		for _, c := range instruction[*instructions.CopyCommand](stage) {
			if c.From != "" {
				if !names[c.From] {
					t.Errorf("%s copies from %s, which is no stage before it", stage.Name, c.From)
				}
				continue
			}
			for _, source := range c.SourcePaths {
				if _, err := os.Stat(filepath.Join(rootDir, source)); err != nil {
					t.Errorf("%s: %v", stage.Name, err)
				}
				if !strings.Contains(ignore, "\n!"+source+"\n") {
					t.Errorf("%s copies %s, which Dockerfile.dockerignore leaves out", stage.Name, source)
				}
			}
		}
		names[stage.Name] = true
	}
}

// TestPackagesCopied: every folder that a program's code is in is copied to where it is built.
func TestPackagesCopied(t *testing.T) {
	t.Parallel()
	var copied []string
	for _, c := range instruction[*instructions.CopyCommand](stages(t)[0]) {
		copied = append(copied, c.SourcePaths...)
	}
	entries, err := os.ReadDir(rootDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		code, _ := filepath.Glob(filepath.Join(rootDir, entry.Name(), "*.go"))
		below, _ := filepath.Glob(filepath.Join(rootDir, entry.Name(), "*", "*.go"))
		if len(code)+len(below) > 0 && entry.Name() != "deploy" && !slices.Contains(copied, entry.Name()) {
			t.Errorf("%s is not copied", entry.Name())
		}
	}
}

// TestGPUWheel: the wheel with CUDA is pinned by digest, and of the release of the CPU's library.
func TestGPUWheel(t *testing.T) {
	t.Parallel()
	gpu := regexp.MustCompile(`(?m)^onnxruntime-gpu==(\d+\.\d+)\.\d+ --hash=sha256:[0-9a-f]{64}$`).FindStringSubmatch(readText(t, "../images/onnxruntime-gpu.txt"))
	cpu := regexp.MustCompile(`(?m)^ort_version=(\d+\.\d+)\.\d+$`).FindStringSubmatch(readText(t, "../setup/onnxruntime.sh"))
	if gpu == nil || cpu == nil || gpu[1] != cpu[1] {
		t.Errorf("GPU wheel %v, CPU library %v", gpu, cpu)
	}
}

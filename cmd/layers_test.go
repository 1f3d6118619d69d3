// Package cmd holds the rules of the tree: who may import whom, what builds
// without C, and that every package says what it is. It walks the module; the
// programs below have tests of their own.
package cmd_test

import (
	"errors"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/winnow-video/winnow"

// pkg is one package of the module, by its path below the module's.
type pkg struct {
	path    string
	dir     string
	imports []string // of ours, likewise; tests left out
	usesC   bool
}

// packages lists the module's packages. Folders with a go.mod of their own are other modules.
func packages(t *testing.T) []pkg {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	ctx := build.Default
	ctx.CgoEnabled = true
	var found []pkg
	err = filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if skipped(root, dir, entry.Name()) {
			return filepath.SkipDir
		}
		p, err := ctx.ImportDir(dir, 0)
		var none *build.NoGoError
		if errors.As(err, &none) || (err == nil && len(p.GoFiles)+len(p.CgoFiles) == 0) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, dir)
		found = append(found, pkg{path: filepath.ToSlash(rel), dir: dir, imports: ours(p.Imports), usesC: len(p.CgoFiles) > 0})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found %d packages: the walk is broken", len(found))
	}
	return found
}

func skipped(root, dir, name string) bool {
	if dir == root {
		return false
	}
	ownModule, _ := filepath.Glob(filepath.Join(dir, "go.mod"))
	return ownModule != nil || name == "testdata" || strings.HasPrefix(name, ".")
}

func ours(imports []string) []string {
	var paths []string
	for _, path := range imports {
		if rest, ok := strings.CutPrefix(path, module+"/"); ok {
			paths = append(paths, rest)
		}
	}
	return paths
}

// below says whether path is root or a package under it.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// rule forbids packages below from to import packages below any of never, but for except.
type rule struct {
	from   string
	never  []string
	except []string
	why    string
}

func rules() []rule {
	return []rule{
		{"workflows", []string{"workers", "decode", "infer", "prune"}, []string{"infer/tensor", "infer/bundle"}, "workflows are deterministic and know no engine"},
		{"workflows/job", []string{"workflows", "prune", "infer"}, []string{"workflows/artifact", "workflows/job"}, "the vocabulary stands below everything"},
		{"workflows/artifact", []string{"workflows", "prune", "infer"}, []string{"workflows/artifact", "workflows/trust"}, "the store knows nothing of what it stores"},
		{"workflows/trust", []string{"workflows", "prune", "infer"}, nil, "trust imports nothing of ours"},
		{"prune", []string{"workflows", "workers", "decode", "infer"}, []string{"infer/tensor"}, "pruning is pure"},
		{"infer/tensor", []string{"workflows", "workers", "decode", "infer", "prune"}, []string{"infer/tensor"}, "tensors import nothing of ours"},
		{"infer", []string{"workers", "decode"}, nil, "inference knows no activity"},
		{"decode", []string{"workers", "infer", "prune"}, []string{"infer/tensor"}, "decoding knows no model"},
	}
}

func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, imported := range p.imports {
			if below(imported, "cmd") && !below(imported, program(p.path)) {
				t.Errorf("%s imports %s: nobody imports cmd", p.path, imported)
			}
			for _, r := range rules() {
				if below(p.path, r.from) && inAny(imported, r.never) && !inAny(imported, r.except) {
					t.Errorf("%s imports %s: %s", p.path, imported, r.why)
				}
			}
		}
	}
}

// program is the folder of the program that path belongs to, below which it may import.
func program(path string) string {
	parts := strings.Split(path, "/")
	if parts[0] != "cmd" || len(parts) < 2 {
		return "\x00"
	}
	return strings.Join(parts[:2], "/")
}

func inAny(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return below(path, root) })
}

// TestCStaysInItsPlace: what does not need FFmpeg or ONNX Runtime builds with CGO_ENABLED=0.
func TestCStaysInItsPlace(t *testing.T) {
	t.Parallel()
	native := []string{"decode", "infer/onnx"}
	either := []string{"decode/resize"} // the same in Go without C: `make pure` builds and tests it
	programs := []string{"cmd/winnow-decode", "cmd/winnow-infer", "deploy/scale/loop", "infer/bench/ours"}
	for _, p := range packages(t) {
		if p.usesC && !slices.Contains(native, p.path) && !slices.Contains(either, p.path) {
			t.Errorf("%s uses cgo; only %v and %v may", p.path, native, either)
		}
		if slices.Contains(native, p.path) || slices.Contains(programs, p.path) {
			continue
		}
		for _, imported := range p.imports {
			if slices.Contains(native, imported) {
				t.Errorf("%s imports %s, and so needs C; only %v may", p.path, imported, programs)
			}
		}
	}
}

// TestEveryPackageSaysWhatItIs wants one package comment each.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if n := packageComments(t, p.dir); n != 1 {
			t.Errorf("%s has %d package comments; want one that says what goes in, what comes out and who the neighbours are", p.path, n)
		}
	}
}

func packageComments(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			n++
		}
	}
	return n
}

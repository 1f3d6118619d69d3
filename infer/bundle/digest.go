package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// Verify reads the manifest of the bundle in folder dir, and every file it
// names, and compares their sizes and digests. Nothing else is read, so that a
// damaged or foreign file never reaches a parser. The error is a config/bundle failure.
func Verify(ctx context.Context, dir string) (*Manifest, string, error) {
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		return nil, "", refuse("%v: a bundle is a folder with %s, written by deploy/bundle/export.py", err, ManifestFile)
	}
	m, err := ReadManifest(text)
	if err != nil {
		return nil, "", refuse("%s: %v", dir, err)
	}
	for _, name := range m.fileNames() {
		if err := verifyFile(ctx, filepath.Join(dir, name), m.Files[name]); err != nil {
			return nil, "", err
		}
	}
	sum := sha256.Sum256(text)
	return m, hex.EncodeToString(sum[:]), nil
}

func (m *Manifest) fileNames() []string {
	var names []string
	for name := range m.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func verifyFile(ctx context.Context, path string, want File) error {
	f, err := os.Open(path)
	if err != nil {
		return refuse("%v: %s names it", err, ManifestFile)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return f.Read(p)
	}))
	if err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 || size != want.Size {
		return refuse("%s: sha256 %s and %d bytes, but %s says %s and %d: fetch or export the bundle again",
			path, got, size, ManifestFile, want.SHA256, want.Size)
	}
	return nil
}

// readerFunc is a function as an io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func refuse(format string, args ...any) error {
	return job.Fail(job.StageAnswer, job.ConfigBundle, format, args...)
}

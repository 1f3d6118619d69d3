package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workflows/job"
)

// maxErrorsShown bounds what a broken manifest prints.
const maxErrorsShown = 20

// plan is a job that was checked whole, before anything runs.
type plan struct {
	spec   job.Spec
	bundle *bundle.Manifest
	digest string
	items  []job.Item
	whole  int // items of the manifest, of which some may be drawn
}

// manifest is the user's file as it is, or what was drawn of it.
func (p *plan) manifest() (io.ReadSeekCloser, error) {
	if len(p.items) == p.whole {
		return os.Open(p.spec.Manifest)
	}
	text, err := job.WriteLines(p.items)
	return nopCloser{bytes.NewReader(text)}, err
}

type nopCloser struct{ io.ReadSeeker }

// Close implements io.Closer.
func (nopCloser) Close() error { return nil }

// check loads and checks the job: its file and flags, the bundle, its digests
// included, every manifest line. Nothing of it needs the stack.
func (a *app) check(ctx context.Context, flags specFlags, path string) (*plan, error) {
	spec, b, err := openJob(ctx, flags, path)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return a.checkItems(spec, b)
}

// openJob loads a job and opens its bundle. Close it.
func openJob(ctx context.Context, flags specFlags, path string) (job.Spec, *bundle.Bundle, error) {
	spec, err := flags.load(path)
	if err != nil {
		return spec, nil, err
	}
	b, err := bundle.Open(ctx, spec.Bundle)
	if err != nil {
		return spec, nil, bundleError(err)
	}
	return spec, b, nil
}

func (a *app) checkItems(spec job.Spec, b *bundle.Bundle) (*plan, error) {
	if err := fitsBundle(spec, &b.Manifest); err != nil {
		return nil, usageError(err)
	}
	if err := workers.FitsContext(spec, &b.Manifest); err != nil {
		return nil, usageError(err)
	}
	items, err := a.readItems(spec.Manifest)
	if err != nil {
		return nil, err
	}
	if err := fitsItems(spec, &b.Manifest, items); err != nil {
		return nil, usageError(err)
	}
	manifest := b.Manifest // outlives b
	return &plan{spec: spec, bundle: &manifest, digest: b.Digest(), items: items, whole: len(items)}, nil
}

// bundleError leaves out the stage: nothing has run yet.
func bundleError(err error) error {
	var failure *job.Failure
	if errors.As(err, &failure) {
		return usagef("bundle: %s", failure.Detail)
	}
	return err
}

func fitsBundle(spec job.Spec, m *bundle.Manifest) error {
	if err := m.Prunes(spec.Prune); err != nil {
		return err
	}
	fixed := m.Frames.Fixed
	if s := spec.Frames.Strategy; fixed != 0 && (s == job.StrategyFPS || s == job.StrategyKeyframes) {
		return fmt.Errorf("frames.strategy: %s may give fewer frames than the %d that the model of %s takes: want %s or %s",
			s, fixed, spec.Bundle, job.StrategyUniform, job.StrategyScene)
	}
	if fixed != 0 && spec.Frames.Count != 0 && spec.Frames.Count != fixed {
		return fmt.Errorf("frames.count: %d, but the model of %s takes %d", spec.Frames.Count, spec.Bundle, fixed)
	}
	return nil
}

// fitsItems refuses to score items that have no options, and options beyond the
// letters that the model knows.
func fitsItems(spec job.Spec, m *bundle.Manifest, items []job.Item) error {
	for _, item := range items {
		wrong := ""
		switch n := len(item.Options); {
		case n == 0 && spec.Generate.Mode == job.ModeScore:
			wrong = "missing: generate.mode score needs them on every line"
		case n > m.Options():
			wrong = fmt.Sprintf("has %d, and the model of %s knows the letters of %d", n, spec.Bundle, m.Options())
		}
		if wrong != "" {
			return &job.LineError{File: spec.Manifest, Line: item.Line, Field: "options", Msg: wrong}
		}
	}
	return nil
}

// readItems reads the whole manifest, printing every bad line before it fails.
func (a *app) readItems(path string) ([]job.Item, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usagef("manifest: %v", err)
	}
	defer file.Close()
	var items []job.Item
	bad := 0
	for item, err := range job.ReadManifest(file, path, filepath.Dir(path)) {
		if err == nil {
			items = append(items, item)
			continue
		}
		if bad++; bad <= maxErrorsShown {
			fmt.Fprintln(a.err, err)
		}
	}
	switch {
	case bad > maxErrorsShown:
		return nil, usagef("manifest: %d bad lines, the first %d above; nothing was run", bad, maxErrorsShown)
	case bad > 0:
		return nil, usagef("manifest: %d bad %s; nothing was run", bad, plural(bad, "line"))
	case len(items) == 0:
		return nil, usagef("manifest: %s has no items", path)
	}
	return items, nil
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

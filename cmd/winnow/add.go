package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

const addLong = `Add lines to a job that is not over yet: running, paused or stopped.

MORE.jsonl is a manifest as any other: relative paths are relative to it, and videos of this
machine are sent to services of your own first. Its lines become pages after those there are, and
so do their records. An id that the job has already is refused with its line, and nothing is
added; the same file again adds nothing and says so. A command that was killed is repeated.

A job that is over takes no more lines: submit them as a job of their own, which finds what was
stored of the same videos.`

func (a *app) addCommand() *cobra.Command {
	return &cobra.Command{
		Use: "add JOB MORE.jsonl", Short: "Add lines to a job that is not over", Long: addLong,
		Example: "  winnow add shapes-060f7ee4.1 more.jsonl",
		Args:    exactArgs("JOB", "MORE.jsonl"),
		RunE: func(c *cobra.Command, args []string) error {
			items, err := a.readItems(args[1])
			if err != nil {
				return err
			}
			return a.withJob(func(ctx context.Context, s *session, id job.ID) error {
				return a.add(ctx, s, id, args[1], items)
			})(c, args[:1])
		},
	}
}

func (a *app) add(ctx context.Context, s *session, id job.ID, path string, items []job.Item) error {
	p, err := planOfMore(ctx, s, id, path, items)
	if err != nil {
		return err
	}
	if a.outside.Given() {
		if err := a.upload(ctx, s, p); err != nil {
			return err
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	added, err := s.jobs.Add(ctx, id, extent.Addition{File: path, Items: p.items, Manifest: file})
	var twice extent.Duplicates
	if errors.As(err, &twice) {
		return a.refuseDuplicates(twice)
	}
	if err != nil {
		return err
	}
	said := fmt.Sprintf("added %d %s to job %s", len(items), plural(len(items), "item"), id)
	if !added {
		said = fmt.Sprintf("job %s has the items of %s already: nothing added", id, path)
	}
	a.tell(said)
	a.tellWaiting(ctx, s, id)
	return nil
}

// planOfMore checks lines against the job that they are added to.
func planOfMore(ctx context.Context, s *session, id job.ID, path string, items []job.Item) (*plan, error) {
	one, err := s.jobs.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	manifest, err := sameBundle(one)
	if err != nil {
		return nil, err
	}
	spec := one.Spec
	spec.Manifest = path
	if err := fitsItems(spec, manifest, items); err != nil {
		return nil, usageError(err)
	}
	return &plan{spec: spec, bundle: manifest, digest: one.Bundle, items: items, whole: len(items)}, nil
}

// sameBundle reads the manifest of the bundle that a job was submitted with.
func sameBundle(one control.Job) (*bundle.Manifest, error) {
	text, err := os.ReadFile(filepath.Join(one.Spec.Bundle, bundle.ManifestFile))
	if err != nil {
		return nil, usagef("bundle: %v: the lines are checked against it", err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != one.Bundle {
		return nil, usagef("bundle: %s is not the one that job %s was submitted with", one.Spec.Bundle, one.Name)
	}
	return bundle.ReadManifest(text)
}

// refuseDuplicates names the lines, the first of them at least.
func (a *app) refuseDuplicates(twice extent.Duplicates) error {
	for _, one := range twice[:min(len(twice), maxErrorsShown)] {
		fmt.Fprintln(a.err, one)
	}
	return usagef("manifest: %d %s of the job's own; nothing was added", len(twice), plural(len(twice), "id"))
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/job"
)

const specFlagsHelp = `Every key of the job file is also a flag; a flag wins over the file. Without a
job file, --manifest and --bundle are enough.`

// specFlags are the keys of a job file as flags of a command.
type specFlags struct{ set *pflag.FlagSet }

func addSpecFlags(c *cobra.Command) specFlags {
	spec, pruning := job.NewSpec(), job.DefaultPruning()
	bindSpec(c.Flags(), &spec, &pruning)
	return specFlags{c.Flags()}
}

// bindSpec gives set a flag for every key, which writes into spec and pruning.
func bindSpec(set *pflag.FlagSet, spec *job.Spec, pruning *job.Pruning) {
	set.StringVar(&spec.Name, "name", spec.Name, "name of the job (default: the job file's name)")
	set.StringVar(&spec.Manifest, "manifest", spec.Manifest, "file of items, one JSON object a line")
	set.StringVar(&spec.Bundle, "bundle", spec.Bundle, "folder of the model bundle")
	set.IntVar(&spec.Frames.Count, "frames", spec.Frames.Count, fmt.Sprintf("frames per video, at most (default: the bundle's; %d with --fps)", job.DefaultMostFrames))
	bindFrames(set, &spec.Frames)
	bindPruning(set, pruning)
	bindGeneration(set, &spec.Generate)
	set.StringVar((*string)(&spec.Fit), "fit", string(spec.Fit), "where prompt and tokens exceed the context: refuse (default), trim")
	set.BoolVar(&spec.AllowPartial, "allow-partial", spec.AllowPartial, "answer from the good frames of a damaged video")
	bindLimits(set, &spec.Limits)
	set.IntVar(&spec.VideosAtOnce, "videos-at-once", spec.VideosAtOnce, "videos of the job open at a time, on all machines (default 32)")
	set.IntVar(&spec.Priority, "priority", spec.Priority, "0 first, 1, 2 last")
	set.StringVar(&spec.Team, "team", spec.Team, "fairness key shared by a team's jobs")
	bindBudget(set, &spec.Budget)
	set.StringToStringVar(&spec.Labels, "label", spec.Labels, "key=value, kept with the job")
}

// bindFrames gives set the flags of which frames are taken, but for how many.
func bindFrames(set *pflag.FlagSet, f *job.Frames) {
	set.Float64Var(&f.FPS, "fps", f.FPS, "frames a second instead")
	set.StringVar((*string)(&f.Strategy), "strategy", string(f.Strategy), "how frames are chosen: "+listed(job.Strategies()))
	set.StringVar((*string)(&f.Color), "color", string(f.Color), "how pictures become RGB: "+listed(job.Colors()))
}

// listed names the values of a flag, the first of which is its default.
func listed[T ~string](values []T) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	names[0] += " (default)"
	return strings.Join(names, ", ")
}

func bindPruning(set *pflag.FlagSet, p *job.Pruning) {
	set.StringVar(&p.Method, "method", p.Method, "pruning method: "+strings.Join(prune.Methods(), ", "))
	set.Float64Var(&p.Keep, "keep", p.Keep, "share of the visual tokens kept: more than 0, at most 1")
	set.Float64Var(&p.Alpha, "alpha", p.Alpha, "weight of relevance against diversity")
	set.Float64Var(&p.Tau, "tau", p.Tau, "relevance threshold of candidates; 0 is off")
	set.StringVar((*string)(&p.Query), "query", string(p.Query), "text pruned by: prompt, question, released")
	set.StringVar((*string)(&p.Scope), "scope", string(p.Scope), "what one selection chooses from: frame, clip; divprune, evs, dycoke, vidcom2 and frames always the clip, pool a frame")
	set.Uint64Var(&p.Seed, "seed", p.Seed, "seed of method random")
}

func bindGeneration(set *pflag.FlagSet, g *job.Generation) {
	set.StringVar((*string)(&g.Mode), "mode", string(g.Mode), "how answers are taken: generate (default), score")
	set.IntVar(&g.MaxTokens, "max-tokens", g.MaxTokens, "longest answer, in tokens (default 32)")
	set.Float64Var(&g.Temperature, "temperature", g.Temperature, "of sampling; 0 is greedy")
	set.Float64Var(&g.TopP, "top-p", g.TopP, "of sampling (default 1)")
	set.Uint64Var(&g.Seed, "sampling-seed", g.Seed, "of sampling")
}

func bindLimits(set *pflag.FlagSet, l *job.Limits) {
	set.Int64Var(&l.Pixels, "max-pixels", l.Pixels, "largest frame, width × height (default 8192×4320)")
	set.DurationVar(&l.Duration, "max-duration", l.Duration, "longest video (default 6h)")
	set.Int64Var(&l.Bytes, "max-bytes", l.Bytes, "largest file, in bytes (default 64 GiB)")
	set.IntVar(&l.DecodeErrors, "max-decode-errors", l.DecodeErrors, "damaged pictures forgiven a video")
	set.DurationVar(&l.Wall, "decode-wall", l.Wall, "time that decoding one video may take (default 10m)")
	set.Int64Var(&l.Memory, "decode-memory", l.Memory, "bytes that decoding one video may take (default 1 GiB)")
}

// load reads the job file (none if path is empty), lays the flags given over it,
// and returns the checked Spec. Paths in a job file are relative to it.
func (f specFlags) load(path string) (job.Spec, error) {
	spec, text, err := readSpec(path)
	if err != nil {
		return spec, err
	}
	if err := f.override(&spec); err != nil {
		return spec, err
	}
	if spec.Name == "" {
		spec.Name = defaultName(path, spec.Manifest)
	}
	if err := eachPath(&spec, filepath.Abs); err != nil {
		return spec, err
	}
	spec = spec.WithDefaults()
	if err := spec.Validate(prune.Methods()); err != nil {
		return spec, usageError(job.Locate(err, text, path))
	}
	return spec, nil
}

// override sets the flags given on a second set, which writes into spec.
func (f specFlags) override(spec *job.Spec) error {
	pruning := job.DefaultPruning()
	target := pflag.NewFlagSet("", pflag.ContinueOnError)
	bindSpec(target, spec, &pruning)
	pruningFlags := pflag.NewFlagSet("", pflag.ContinueOnError)
	bindPruning(pruningFlags, &job.Pruning{})
	var failed error
	f.set.Visit(func(flag *pflag.Flag) {
		if target.Lookup(flag.Name) == nil {
			return
		}
		if pruningFlags.Lookup(flag.Name) != nil {
			spec.Prune = nil
		}
		value := flag.Value.String()
		if flag.Value.Type() == "stringToString" {
			value = strings.Trim(value, "[]")
		}
		if err := target.Set(flag.Name, value); err != nil {
			failed = usagef("%v", err)
		}
	})
	if spec.Prune == nil {
		spec.Prune = job.Prunings{pruning}
	}
	return failed
}

func usageError(err error) error { return &exitError{exitUsage, err.Error()} }

func readSpec(path string) (job.Spec, []byte, error) {
	if path == "" {
		return job.NewSpec(), nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return job.Spec{}, nil, usagef("job file: %v", err)
	}
	spec, err := job.ParseSpec(text, path)
	if err != nil {
		return spec, nil, usageError(err)
	}
	return spec, text, eachPath(&spec, func(p string) (string, error) {
		if filepath.IsAbs(p) {
			return p, nil
		}
		return filepath.Join(filepath.Dir(path), p), nil
	})
}

// eachPath replaces the paths that spec holds.
func eachPath(spec *job.Spec, by func(string) (string, error)) error {
	for _, path := range []*string{&spec.Manifest, &spec.Bundle} {
		if *path == "" {
			continue
		}
		replaced, err := by(*path)
		if err != nil {
			return err
		}
		*path = replaced
	}
	return nil
}

// defaultName makes a job's name of its file's, or of the manifest's.
func defaultName(path, manifest string) string {
	if path == "" {
		path = manifest
	}
	base := filepath.Base(path)
	base = strings.ToLower(strings.TrimSuffix(base, filepath.Ext(base)))
	name := strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, base)
	return strings.Trim(name, "-_")
}

// jobFileArg wants at most one argument, the job file.
func jobFileArg(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("unexpected %q; see `%s -h`", args[1], c.CommandPath())
	}
	return nil
}

// jobFile is the job file among the arguments, or empty.
func jobFile(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

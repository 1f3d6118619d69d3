package job

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxName is how many characters the name of a job has at most.
const MaxName = 63

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// WithDefaults fills in what the author left out. Frames.Count stays 0 where
// the bundle's default applies.
func (s Spec) WithDefaults() Spec {
	s.Frames = s.Frames.WithDefaults()
	if len(s.Prune) == 0 {
		s.Prune = Prunings{DefaultPruning()}
	}
	s.Prune = slices.Clone(s.Prune)
	for i := range s.Prune {
		s.Prune[i] = s.Prune[i].withDefaults()
	}
	s.Generate.Mode = cmp.Or(s.Generate.Mode, ModeGenerate)
	s.Generate.MaxTokens = cmp.Or(s.Generate.MaxTokens, 32)
	s.Generate.TopP = cmp.Or(s.Generate.TopP, 1)
	s.Fit = cmp.Or(s.Fit, FitRefuse)
	s.Limits = s.Limits.withDefaults()
	return s
}

// WithDefaults fills in what was left out; Count only where there is a rate.
func (f Frames) WithDefaults() Frames {
	f.Color = cmp.Or(f.Color, ColorTagged)
	if f.FPS != 0 {
		f.Strategy = cmp.Or(f.Strategy, StrategyFPS)
		f.Count = cmp.Or(f.Count, DefaultMostFrames)
	}
	f.Strategy = cmp.Or(f.Strategy, StrategyUniform)
	return f
}

func (p Pruning) withDefaults() Pruning {
	p.Method = cmp.Or(p.Method, DefaultPruning().Method)
	p.Query = cmp.Or(p.Query, QueryPrompt)
	p.Scope = cmp.Or(p.Scope, ScopeFrame)
	if p.Method == "none" {
		p.Keep = 1
	}
	return p
}

func (l Limits) withDefaults() Limits {
	l.Pixels = cmp.Or(l.Pixels, 8192*4320)
	l.Duration = cmp.Or(l.Duration, 6*time.Hour)
	l.Bytes = cmp.Or(l.Bytes, 64<<30)
	l.Wall = cmp.Or(l.Wall, 10*time.Minute)
	l.Memory = cmp.Or(l.Memory, 1<<30)
	return l
}

// mostVideosAtOnce keeps a Job's open pages, of a few hundred videos each, well
// below the children that Temporal lets a workflow have.
const mostVideosAtOnce = 100_000

// Validate checks a Spec with its defaults filled in; the error is a *FieldError.
// methods are the pruning methods there are.
func (s Spec) Validate(methods []string) error {
	return first(
		check(namePattern.MatchString(s.Name), "name", "%q: want lower-case letters, digits, _ and -, at most 63, starting with a letter or digit", s.Name),
		check(s.Manifest != "", "manifest", "missing: name the file with one item a line"),
		check(s.Bundle != "", "bundle", "missing: name the folder of a model bundle"),
		s.Frames.Validate(),
		s.Generate.validate(),
		check(s.Fit == FitRefuse || s.Fit == FitTrim, "fit", "%q: want refuse or trim", s.Fit),
		s.Limits.validate(),
		check(0 <= s.Priority && s.Priority <= 2, "priority", "%d: want 0 (first), 1 or 2 (last)", s.Priority),
		check(0 <= s.VideosAtOnce && s.VideosAtOnce <= mostVideosAtOnce, "videos_at_once", "%d: want 1 to %d", s.VideosAtOnce, mostVideosAtOnce),
		s.Budget.Validate(),
		s.Prune.validate(methods),
	)
}

// Validate checks Frames with their defaults filled in.
func (f Frames) Validate() error {
	return first(
		check(f.Count >= 0, "frames.count", "%d: want at least 1", f.Count),
		check(f.FPS == 0 || within(f.FPS, 1e-3, 1000), "frames.fps", "%g: want 0.001 to 1000", f.FPS),
		check(slices.Contains(Strategies(), f.Strategy), "frames.strategy", "%q: want one of %v", f.Strategy, Strategies()),
		check(f.FPS == 0 || f.Strategy == StrategyFPS, "frames.fps", "%g: strategy %s does not go by it: leave out one of them", f.FPS, f.Strategy),
		check(f.FPS != 0 || f.Strategy != StrategyFPS, "frames.fps", "missing: strategy fps wants frames a second"),
		check(slices.Contains(Colors(), f.Color), "frames.color", "%q: want one of %v", f.Color, Colors()),
	)
}

func (g Generation) validate() error {
	return first(
		check(g.Mode == ModeGenerate || g.Mode == ModeScore, "generate.mode", "%q: want generate or score", g.Mode),
		check(1 <= g.MaxTokens && g.MaxTokens <= 4096, "generate.max_tokens", "%d: want 1 to 4096", g.MaxTokens),
		check(within(g.Temperature, 0, 10), "generate.temperature", "%g: want 0 (greedy) to 10", g.Temperature),
		check(g.TopP > 0 && g.TopP <= 1, "generate.top_p", "%g: want more than 0, at most 1", g.TopP),
	)
}

func (l Limits) validate() error {
	return first(
		check(l.Pixels > 0, "limits.pixels", "%d: want a positive number", l.Pixels),
		check(l.Duration > 0, "limits.duration", "%v: want a positive duration like 2h", l.Duration),
		check(l.Bytes > 0, "limits.bytes", "%d: want a positive number of bytes", l.Bytes),
		check(l.DecodeErrors >= 0, "limits.decode_errors", "%d: want 0 or more", l.DecodeErrors),
		check(l.Wall > 0, "limits.wall", "%v: want a positive duration like 10m", l.Wall),
		check(l.Memory >= 64<<20, "limits.memory", "%d: want at least 64 MiB (67108864)", l.Memory),
	)
}

func (p Prunings) validate(methods []string) error {
	seen := map[string]int{}
	for i, one := range p {
		field := "prune"
		if len(p) > 1 {
			field = fmt.Sprintf("prune[%d]", i)
		}
		if err := one.validate(field, methods); err != nil {
			return err
		}
		if earlier, twice := seen[one.Variant()]; twice {
			return &FieldError{Field: field, Msg: fmt.Sprintf("the same setting as prune[%d] (%s)", earlier, one.Variant())}
		}
		seen[one.Variant()] = i
	}
	return nil
}

func (p Pruning) validate(field string, methods []string) error {
	queries := []Query{QueryPrompt, QueryQuestion, QueryReleased}
	return first(
		check(slices.Contains(methods, p.Method), field+".method", "%q: want one of %s", p.Method, strings.Join(methods, ", ")),
		check(p.Keep > 0 && p.Keep <= 1, field+".keep", "%g: want more than 0, at most 1: the share of visual tokens kept", p.Keep),
		check(within(p.Alpha, 0, 1e6), field+".alpha", "%g: want 0 or more", p.Alpha),
		check(within(p.Tau, -1, 1), field+".tau", "%g: want -1 to 1: a cosine", p.Tau),
		check(slices.Contains(queries, p.Query), field+".query", "%q: want prompt, question or released", p.Query),
		check(p.Scope == ScopeFrame || p.Scope == ScopeClip, field+".scope", "%q: want frame or clip", p.Scope),
	)
}

// within is false for NaN.
func within(x, low, high float64) bool {
	return low <= x && x <= high && !math.IsInf(x, 0)
}

func check(ok bool, field, format string, args ...any) error {
	if ok {
		return nil
	}
	return &FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

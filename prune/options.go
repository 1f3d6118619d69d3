package prune

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Options is a policy's settings. Start from Default.
type Options struct {
	Method string  // one of Methods; default rediprune
	Keep   float64 // share of tokens kept, 0 < Keep ≤ 1; default 0.15; none keeps all
	Alpha  float64 // rediprune: weight of relevance against diversity; default 0.5
	Tau    float64 // rediprune: above 0, only relevant tokens are candidates; default 0
	Scope  Scope   // what one selection chooses from; default frame; some methods have but one, see Scope
	Seed   uint64  // random: another seed, another sample; default 0
	Grid   Grid    `json:",omitzero"` // pool: how a frame's tokens lie; default the square they make
}

// OnGrid is o for an encoder whose tokens lie on g. Methods that do not look at
// the grid are left as they are: what they select does not depend on it.
func (o Options) OnGrid(g Grid) Options {
	if o.Method == "pool" {
		o.Grid = g
	}
	return o
}

// Scope is what one selection chooses from. It is that of rediprune, cdpruner,
// relevant, diverse, uniform and random. The others have no choice and take either:
// divprune, evs, dycoke, vidcom2 and frames compare all tokens of the clip and
// have one budget for it; pool makes every frame smaller alike.
type Scope string

// The scopes.
const (
	ScopeFrame Scope = "frame" // every frame keeps its share, as published
	ScopeClip  Scope = "clip"  // one budget for all T·P tokens, spent where it matters
)

// Default is ReDiPrune with the paper's settings.
func Default() Options {
	return Options{Method: "rediprune", Keep: 0.15, Alpha: 0.5, Scope: ScopeFrame}
}

// methods is the registry: how to make the policy of every method.
func methods() map[string]func(Options) Policy {
	return map[string]func(Options) Policy{
		"rediprune": newReDiPrune,
		"relevant":  newRelevant,
		"diverse":   newDiverse,
		"divprune":  newDivPrune,
		"cdpruner":  newCDPruner,
		"evs":       newEVS,
		"dycoke":    newDyCoke,
		"vidcom2":   newVidCom2,
		"frames":    newFrames,
		"pool":      newPool,
		"uniform":   newUniform,
		"random":    newRandom,
		"none":      newNone,
	}
}

// Methods lists what Options.Method may be, sorted.
func Methods() []string { return slices.Sorted(maps.Keys(methods())) }

// New is the policy that o describes. Its errors name the field.
func New(o Options) (Policy, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	return methods()[o.Method](o), nil
}

func (o Options) validate() error {
	switch {
	case methods()[o.Method] == nil:
		return fmt.Errorf("method: %q: want one of %s", o.Method, strings.Join(Methods(), ", "))
	case !(o.Keep > 0 && o.Keep <= 1):
		return fmt.Errorf("keep: %g: want more than 0, at most 1: the share of tokens kept", o.Keep)
	case !finite(o.Alpha) || math.Abs(o.Alpha) > math.MaxFloat32:
		return fmt.Errorf("alpha: %g: want a finite number", o.Alpha)
	case !finite(o.Tau):
		return fmt.Errorf("tau: %g: want a finite number", o.Tau)
	case o.Scope != ScopeFrame && o.Scope != ScopeClip:
		return fmt.Errorf("scope: %q: want frame or clip", o.Scope)
	case !o.Grid.valid():
		return fmt.Errorf("grid: %v: want at least one row and one column, and no fewer than 0 leading tokens", o.Grid)
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

package job

import (
	"fmt"
	"strings"
	"time"
)

// Spec is a job as its author wrote it, defaults filled in. It is stored as jobs/<id>/job.yaml.
type Spec struct {
	Name         string            `json:"name" yaml:"name"`                                         // default: the job file's name
	Manifest     string            `json:"manifest" yaml:"manifest"`                                 // required; JSON lines
	Bundle       string            `json:"bundle" yaml:"bundle"`                                     // required; a folder
	Frames       Frames            `json:"frames" yaml:"frames"`                                     //
	Prune        Prunings          `json:"prune" yaml:"prune"`                                       // one or several settings; each is a variant
	Generate     Generation        `json:"generate" yaml:"generate"`                                 //
	Fit          Fit               `json:"fit" yaml:"fit"`                                           // default refuse
	AllowPartial bool              `json:"allow_partial,omitempty" yaml:"allow_partial,omitempty"`   // answer from the good frames of a damaged video
	Limits       Limits            `json:"limits" yaml:"limits"`                                     //
	Priority     int               `json:"priority" yaml:"priority"`                                 // 0 first, 1 default, 2 last
	Team         string            `json:"team,omitempty" yaml:"team,omitempty"`                     // fairness key
	VideosAtOnce int               `json:"videos_at_once,omitempty" yaml:"videos_at_once,omitempty"` // of this job open at a time, on all machines; default 32
	Budget       Budget            `json:"budget,omitzero" yaml:"budget,omitempty"`                  //
	Labels       map[string]string `json:"labels,omitempty" yaml:"labels,omitempty"`                 // free
}

// NewSpec is the Spec that a job file or flags fill in: zero, but for what has no zero of its own.
func NewSpec() Spec { return Spec{Priority: 1} }

// Frames says which frames of a video are looked at.
type Frames struct {
	Count    int      `json:"count,omitempty" yaml:"count,omitempty"`       // default: the bundle's; with fps the most there are, 64
	FPS      float64  `json:"fps,omitempty" yaml:"fps,omitempty"`           // frames a second, of strategy fps
	Strategy Strategy `json:"strategy,omitempty" yaml:"strategy,omitempty"` // default uniform, or fps where that is given
	Color    Color    `json:"color,omitempty" yaml:"color,omitempty"`       // default tagged
}

// Strategy names how frames are chosen. Every strategy chooses among the N
// frames that are shown in an item's start..end, and n = min(count, N) at most.
type Strategy string

// The strategies.
const (
	// StrategyUniform takes frame ⌊i·(N−1)/(n−1)⌋ for i in 0..n−1, by index: the
	// first and the last included.
	StrategyUniform Strategy = "uniform"
	// StrategyFPS takes what is on the screen at start + k/fps for k = 0, 1, …, each
	// frame once; where that is more than count, StrategyUniform.
	StrategyFPS Strategy = "fps"
	// StrategyKeyframes takes the frames that were stored whole, as the container
	// marks them; where that is more than count, every so many-th: of K, number
	// ⌊i·(K−1)/(n−1)⌋.
	StrategyKeyframes Strategy = "keyframes"
	// StrategyScene takes the first frame and those that begin a scene: whose
	// luma differs from the frame's before by a mean of m levels of 255, where
	// min(m, |m−m′|) ≥ 10, m′ being the difference one frame earlier (FFmpeg's scene
	// score, so that steady motion is no cut). Of more than n, those of the highest score;
	// of fewer, the longest stretch without one is halved until there are n.
	StrategyScene Strategy = "scene"
)

// Strategies are all there are.
func Strategies() []Strategy {
	return []Strategy{StrategyUniform, StrategyFPS, StrategyKeyframes, StrategyScene}
}

// DefaultMostFrames bounds StrategyFPS where no count does.
const DefaultMostFrames = 64

// Color names how a picture becomes RGB.
type Color string

// The conversions.
const (
	// ColorTagged converts with the matrix and range that the video is tagged
	// with; untagged is BT.601, limited range.
	ColorTagged Color = "tagged"
	// ColorPyAV converts as PyAV's to_ndarray(format="rgb24") does, and with it the
	// published pipelines: BT.601 whatever the tags say, and chroma interpolated
	// bilinearly. For comparing with published numbers.
	ColorPyAV Color = "pyav"
)

// Colors are all there are.
func Colors() []Color { return []Color{ColorTagged, ColorPyAV} }

// Pruning is one pruning setting. Every setting of a job is a variant of its items.
//
// Of the methods, rediprune, relevant and cdpruner look at the question. diverse,
// divprune, evs, dycoke, vidcom2, frames, pool, uniform, random and none do not: all
// questions about a video share their tokens. Package prune says what each keeps.
type Pruning struct {
	Method string  `json:"method" yaml:"method"`                 // one of prune.Methods; default rediprune
	Keep   float64 `json:"keep" yaml:"keep"`                     // share kept, 0 < keep ≤ 1; default 0.15 (none: 1)
	Alpha  float64 `json:"alpha" yaml:"alpha"`                   // weight of relevance against diversity; default 0.5
	Tau    float64 `json:"tau" yaml:"tau"`                       // relevance threshold; default 0, off
	Query  Query   `json:"query" yaml:"query"`                   // default prompt
	Scope  Scope   `json:"scope" yaml:"scope"`                   // default frame
	Seed   uint64  `json:"seed,omitempty" yaml:"seed,omitempty"` // of method random
}

// Query names the text that a question-dependent method selects by.
type Query string

// The query vectors of ReDiPrune; see prune.
const (
	QueryPrompt   Query = "prompt"   // the prompt after the last frame
	QueryQuestion Query = "question" // the question's own text
	QueryReleased Query = "released" // as the published evaluation code computes it
)

// Scope is what one selection chooses from. Methods that compare frames have one
// budget for the clip by either, pool one for each frame; see prune.Scope.
type Scope string

// The scopes.
const (
	ScopeFrame Scope = "frame" // every frame keeps its share
	ScopeClip  Scope = "clip"  // one budget for the clip
)

// Variant names the setting in records: what differs between two settings differs in it.
func (p Pruning) Variant() string {
	if p.Method == "none" {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s-%g", p.Method, p.Keep)
	if p.Alpha != DefaultPruning().Alpha {
		fmt.Fprintf(&b, "-a%g", p.Alpha)
	}
	if p.Tau != 0 {
		fmt.Fprintf(&b, "-t%g", p.Tau)
	}
	if p.Query != QueryPrompt {
		fmt.Fprintf(&b, "-%s", p.Query)
	}
	if p.Scope != ScopeFrame {
		fmt.Fprintf(&b, "-%s", p.Scope)
	}
	if p.Seed != 0 {
		fmt.Fprintf(&b, "-s%d", p.Seed)
	}
	return b.String()
}

// DefaultPruning is ReDiPrune as published.
func DefaultPruning() Pruning {
	return Pruning{Method: "rediprune", Keep: 0.15, Alpha: 0.5, Query: QueryPrompt, Scope: ScopeFrame}
}

// Prunings reads as one setting or a list of them.
type Prunings []Pruning

// Mode is how an answer is taken from the language model.
type Mode string

// The modes.
const (
	ModeGenerate Mode = "generate" // tokens one by one until the end token
	ModeScore    Mode = "score"    // log-probabilities of the option letters, from one prefill
)

// Generation says how answers are taken.
type Generation struct {
	Mode        Mode    `json:"mode" yaml:"mode"`                     // default generate
	MaxTokens   int     `json:"max_tokens" yaml:"max_tokens"`         // default 32
	Temperature float64 `json:"temperature" yaml:"temperature"`       // default 0, greedy
	TopP        float64 `json:"top_p" yaml:"top_p"`                   // default 1
	Seed        uint64  `json:"seed,omitempty" yaml:"seed,omitempty"` // of sampling
}

// Tokens is how many of the model's context an answer takes: one to score, since
// no server can be asked for none.
func (g Generation) Tokens() int {
	if g.Mode == ModeScore {
		return 1
	}
	return g.MaxTokens
}

// Fit says what happens to an item that does not fit the model's context.
type Fit string

// The fits.
const (
	FitRefuse Fit = "refuse" // config/context
	FitTrim   Fit = "trim"   // fewer visual tokens, and the record says so
)

// Limits bound what one video may cost. Zero is the default.
type Limits struct {
	Pixels       int64         `json:"pixels" yaml:"pixels"`               // of one frame; default 8192*4320
	Duration     time.Duration `json:"duration" yaml:"duration"`           // of the video; default 6h
	Bytes        int64         `json:"bytes" yaml:"bytes"`                 // of the file; default 64 GiB
	DecodeErrors int           `json:"decode_errors" yaml:"decode_errors"` // damaged pictures; default 0
	Wall         time.Duration `json:"wall" yaml:"wall"`                   // of decoding; default 10m
	Memory       int64         `json:"memory" yaml:"memory"`               // of the decoder process, bytes; default 1 GiB
}

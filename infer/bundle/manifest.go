package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/winnow-video/winnow/workflows/job"
)

// Version is the version of bundle.json that this package reads.
const Version = 1

// The files of a bundle beside bundle.json. The weights of a graph too large for
// one file lie in a second, by the graph's name and DataSuffix.
const (
	ManifestFile   = "bundle.json"
	VisionFile     = "vision.onnx"              // pixels U8 [B,H,W,3] → tokens F16 [B,P,D]
	ProjectorFile  = "projector.onnx"           // tokens F16 [M,D] → rows F32 [M,E]
	EmbeddingsFile = "embed_tokens.safetensors" // embed_tokens F16 or F32 [V,E]; newline [1,E] where the model has one
	DecoderFile    = "decoder.onnx"             // see deploy/bundle/graphs.py for names and shapes; none where language is remote
	TokenizerFile  = "tokenizer.json"
	DataSuffix     = ".data"
)

// Manifest is bundle.json: everything about a model that is no weight. It is
// written by deploy/bundle/export.py, which reads it from the model.
type Manifest struct {
	V                int             `json:"v"`
	Name             string          `json:"name"`
	Licence          string          `json:"licence"` // SPDX, of the weights
	CreatedBy        string          `json:"created_by"`
	Files            map[string]File `json:"files"`
	Image            Image           `json:"image"`
	Grid             [2]int          `json:"grid"`          // rows and columns of a frame's tokens
	ExtraLeading     int             `json:"extra_leading"` // tokens before the grid's: a CLS that can be selected, not drawn
	PoolAfter        *PoolAfter      `json:"pool_after"`    // null unless the model pools behind its projector; P is Grid's all the same
	Layout           Layout          `json:"layout"`
	FramePrefix      string          `json:"frame_prefix"` // per_frame: text before a frame's rows, with {i}, {n}, {time_s}
	FrameSuffix      string          `json:"frame_suffix"` // per_frame: text after a frame's rows, likewise; may be left out
	Newline          Newline         `json:"newline"`
	Frames           Frames          `json:"frames"`
	Images           Images          `json:"images"`
	Template         Template        `json:"template"`
	Tokenize         Tokenize        `json:"tokenize"`
	LetterIDs        []int32         `json:"letter_ids"`              // of A, B, … as the first token of an answer: what a letter appends to the prompt
	AnswerPrefix     *string         `json:"answer_prefix,omitempty"` // between the two, "" or " "; left out: a space, unless white space ends the prompt
	BOS              *int32          `json:"bos"`                     // put before the prompt; null is none
	EOS              []int32         `json:"eos"`                     // any of them ends an answer
	RoPE             RoPE            `json:"rope"`
	Context          int             `json:"context"` // tokens, prompt and answer together
	Dims             Dims            `json:"dims"`
	RelevanceTrained bool            `json:"relevance_trained"`  // trained so that questions align with patches
	Language         *Language       `json:"language,omitempty"` // nil: decoder.onnx
}

// Language names a language model that a server runs in place of decoder.onnx.
type Language struct {
	Remote   bool   `json:"remote"`   // true
	Model    string `json:"model"`    // as the server names it
	Revision string `json:"revision"` // of its weights; empty if unknown. No server tells: it is the bundle's word
	Input    Input  `json:"input,omitempty"`
}

// Title is the model with its revision, as records name it.
func (l *Language) Title() string {
	if l.Revision == "" {
		return l.Model
	}
	return l.Model + "@" + l.Revision
}

// Input is what a remote language model is sent.
type Input string

// The inputs.
const (
	InputEmbeds Input = ""       // the prompt's rows: pruned, projected and assembled here
	InputFrames Input = "frames" // text and frames as images; the model encodes them itself, so nothing is pruned
)

// File is a file's content.
type File struct {
	SHA256 string `json:"sha256"` // hex
	Size   int64  `json:"size"`   // bytes
}

// Image says how a frame becomes pixels: Size² of them. Mean and Std are applied in vision.onnx.
type Image struct {
	Size   int        `json:"size"`
	Resize Resize     `json:"resize"`
	Mean   [3]float64 `json:"mean"` // of values 0..1
	Std    [3]float64 `json:"std"`
}

// Resize is how a frame of any shape becomes a square.
type Resize string

// The ways to make a square, all with Pillow's antialiased bicubic kernel.
const (
	ShortestCrop Resize = "shortest_crop" // shortest edge to size, then the centre
	Squash       Resize = "squash"        // both edges to size
	Pad          Resize = "pad"           // longest edge to size, the rest mean colour
)

// Layout is where the visual rows stand in the prompt.
type Layout string

// The layouts.
const (
	Joined   Layout = "joined"    // all frames' rows in one run
	PerFrame Layout = "per_frame" // every frame's rows after a prefix of their own
)

// Newline is where the model's newline row stands among visual rows. It is no
// token and never pruned; a frame or grid row of which nothing is kept has none.
type Newline string

// The newline placements.
const (
	NewlineNone  Newline = "none"
	NewlineFrame Newline = "frame" // after each frame
	NewlineRow   Newline = "row"   // after each row of a frame's grid
	NewlineEnd   Newline = "end"   // after the clip
)

// Frames is how many frames the model looks at.
type Frames struct {
	Default int `json:"default"`
	Fixed   int `json:"fixed,omitempty"` // the model takes this many and no other
}

// Images says whether a still image may stand for a video.
type Images string

// What an image can be.
const (
	ImageIsFrame      Images = "frame" // a clip of one frame
	ImageNotSupported Images = "unsupported"
)

// Tokenize says what is tokenised at a time.
type Tokenize string

// The ways of tokenising a prompt.
const (
	TokenizeWhole   Tokenize = "hf"       // the prompt with its placeholders, as the model's processor does
	TokenizePerSide Tokenize = "per_side" // each side of a placeholder on its own
)

// RoPE is the loaded model's effective rotary embedding. The decoder graph
// holds its frequencies; they are recorded here for engines that do not.
type RoPE struct {
	Theta  float64 `json:"theta"`
	Type   string  `json:"type"` // "default" is unscaled
	Factor float64 `json:"factor"`
}

// ReadManifest parses bundle.json strictly: another version, an unknown or a
// missing field and a value out of range are refused, each by name.
func ReadManifest(text []byte) (*Manifest, error) {
	var version struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if version.V != Version {
		return nil, fmt.Errorf("%s: v is %d, and this build reads %d: export the model again", ManifestFile, version.V, Version)
	}
	m := &Manifest{}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if _, err := strict.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: text after the object", ManifestFile)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	return m, nil
}

// Remote says whether a server runs the language model.
func (m *Manifest) Remote() bool { return m.Language != nil }

// Pictures says whether the language model is shown frames as images. Such a
// bundle has no files: its one token a frame stands for the frame.
func (m *Manifest) Pictures() bool { return m.Remote() && m.Language.Input == InputFrames }

// Options is how many options an item can have.
func (m *Manifest) Options() int {
	if m.Pictures() {
		return len(Letters)
	}
	return len(m.LetterIDs)
}

// Prunes refuses a pruning setting that cannot be had: a model that is shown
// frames as images never sees tokens that were chosen here.
func (m *Manifest) Prunes(p job.Prunings) error {
	for _, one := range p {
		if m.Pictures() && one.Method != "none" {
			return fmt.Errorf("prune.method: %s prunes tokens, but the language model of %s is shown whole frames as images: want none", one.Method, m.Name)
		}
	}
	return nil
}

// Tokens is P, the visual tokens of one frame that are selected from.
func (m *Manifest) Tokens() int { return m.ExtraLeading + m.Grid[0]*m.Grid[1] }

// TowerTokens is how many tokens of one frame the tower makes: P, or P′ where
// the model pools behind its projector.
func (m *Manifest) TowerTokens() int {
	if m.PoolAfter != nil {
		return m.PoolAfter.From
	}
	return m.Tokens()
}

package bundle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// validate names the first field that is missing or out of range.
func (m *Manifest) validate() error {
	checks := []struct {
		ok   bool
		want string
	}{
		{m.Name != "", "name: missing"},
		{m.Image.Size > 0, "image.size: want more than 0"},
		{oneOf(m.Image.Resize, ShortestCrop, Squash, Pad), fmt.Sprintf("image.resize: unknown %q", m.Image.Resize)},
		{m.Grid[0] > 0 && m.Grid[1] > 0, "grid: want rows and columns of at least 1"},
		{m.ExtraLeading >= 0, "extra_leading: want 0 or more"},
		{oneOf(m.Layout, Joined, PerFrame), fmt.Sprintf("layout: unknown %q", m.Layout)},
		{oneOf(m.Newline, NewlineNone, NewlineFrame, NewlineRow, NewlineEnd), fmt.Sprintf("newline: unknown %q", m.Newline)},
		{m.Newline != NewlineRow || m.ExtraLeading == 0, "newline: row: a token before the grid's, as extra_leading says, is in no row"},
		{m.Frames.Default > 0 && m.Frames.Fixed >= 0, "frames: want a default of at least 1"},
		{oneOf(m.Images, ImageIsFrame, ImageNotSupported), fmt.Sprintf("images: unknown %q", m.Images)},
		{oneOf(m.Tokenize, TokenizeWhole, TokenizePerSide), fmt.Sprintf("tokenize: unknown %q", m.Tokenize)},
		{len(m.LetterIDs) <= len(Letters), fmt.Sprintf("letter_ids: more than %d", len(Letters))},
		{len(m.EOS) > 0, "eos: missing"},
		{m.Context > 0, "context: want more than 0"},
		{m.RoPE.Theta > 0, "rope.theta: want more than 0"},
		{m.Language == nil || m.Language.Remote, "language.remote: want true, or no language where " + DecoderFile + " is it"},
		{m.Language == nil || m.Language.Model != "", "language.model: missing: the name that the server serves it by"},
	}
	for _, check := range checks {
		if !check.ok {
			return fmt.Errorf("%s", check.want)
		}
	}
	if err := errors.Join(m.Dims.validate(), m.PoolAfter.validate(m.Tokens())); err != nil {
		return err
	}
	return m.validateFiles()
}

func oneOf[T comparable](x T, known ...T) bool { return slices.Contains(known, x) }

func (d Dims) validate() error {
	v, l := d.Vision, d.Language
	for _, n := range []int{v.Tokens, v.Patch, v.Layers, v.Hidden, v.Intermediate} {
		if n <= 0 {
			return fmt.Errorf("dims.vision: %+v: want every one at least 1", v)
		}
	}
	for _, n := range []int{l.Layers, l.Hidden, l.Intermediate, l.Heads, l.KVHeads, l.HeadDim, l.Vocab} {
		if n <= 0 {
			return fmt.Errorf("dims.language: %+v: want every one at least 1", l)
		}
	}
	if n := len(d.Projector); n < 2 || d.Projector[0] != v.Hidden || d.Projector[n-1] != l.Hidden {
		return fmt.Errorf("dims.projector: %v: want widths from %d to %d", d.Projector, v.Hidden, l.Hidden)
	}
	return nil
}

// validateFiles wants exactly the known files, each with a digest.
func (m *Manifest) validateFiles() error {
	want := []string{VisionFile, ProjectorFile, EmbeddingsFile, TokenizerFile}
	if !m.Remote() {
		want = append(want, DecoderFile)
	}
	for _, name := range m.fileNames() {
		graph, isData := strings.CutSuffix(name, DataSuffix)
		if !slices.Contains(want, graph) || isData && filepath.Ext(graph) != ".onnx" {
			return fmt.Errorf("files: unexpected %q", name)
		}
		if sum, err := hex.DecodeString(m.Files[name].SHA256); err != nil || len(sum) != 32 {
			return fmt.Errorf("files[%q].sha256: %q: want 64 hex digits", name, m.Files[name].SHA256)
		}
	}
	for _, name := range want {
		if _, ok := m.Files[name]; !ok {
			return fmt.Errorf("files: no %q", name)
		}
	}
	return nil
}

// agree refuses a tokenizer, a manifest and an embedding table that do not belong together.
func (b *Bundle) agree() error {
	rows, width := b.embeddings.shape[0], b.embeddings.shape[1]
	switch {
	case width != b.Dims.Language.Hidden:
		return fmt.Errorf("%s has rows of %d values, but dims.language.hidden is %d", EmbeddingsFile, width, b.Dims.Language.Hidden)
	case b.tokenizer.Size() > rows:
		return fmt.Errorf("%s has ids up to %d, but %s only %d rows", TokenizerFile, b.tokenizer.Size()-1, EmbeddingsFile, rows)
	}
	ids := slices.Concat(b.LetterIDs, b.EOS)
	if b.BOS != nil {
		ids = append(ids, *b.BOS)
	}
	for _, id := range ids {
		if _, err := b.tokenizer.Decode([]int32{id}); err != nil {
			return fmt.Errorf("bos, eos or letter_ids: %w", err)
		}
	}
	return nil
}

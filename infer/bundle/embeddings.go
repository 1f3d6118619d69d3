package bundle

import (
	"fmt"
	"os"

	"github.com/winnow-video/winnow/infer/tensor"
)

// The tensors of embed_tokens.safetensors.
const (
	embeddingsTensor = "embed_tokens"
	newlineTensor    = "newline"
)

// embeddings is a token embedding table [V,E] that stays on disk: a prompt
// needs a few hundred of its rows.
type embeddings struct {
	file    *os.File
	table   *tensor.Reader
	shape   tensor.Shape
	newline []float32 // [E]; nil without one
}

func openEmbeddings(path string, newline bool) (*embeddings, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	e, err := newEmbeddings(file)
	if err == nil && newline {
		e.newline = make([]float32, e.shape[1])
		err = e.read(newlineTensor, 0, e.newline)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", EmbeddingsFile, err)
	}
	return e, nil
}

func newEmbeddings(file *os.File) (*embeddings, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	table, err := tensor.NewReader(file, info.Size())
	if err != nil {
		return nil, err
	}
	dtype, shape, err := table.Stat(embeddingsTensor)
	if err != nil {
		return nil, err
	}
	if !oneOf(dtype, tensor.F16, tensor.F32) || len(shape) != 2 {
		return nil, fmt.Errorf("%s is %s %v, want F16 or F32 [V,E]", embeddingsTensor, dtype, []int(shape))
	}
	return &embeddings{file: file, table: table, shape: shape}, nil
}

// Embed returns the embedding rows of ids, [len(ids),E].
func (b *Bundle) Embed(ids []int32) (tensor.Dense[float32], error) {
	width := b.embeddings.shape[1]
	rows := tensor.Dense[float32]{Shape: tensor.Shape{len(ids), width}, Data: make([]float32, len(ids)*width)}
	for i, id := range ids {
		if err := b.embeddings.read(embeddingsTensor, int(id), rows.Data[i*width:(i+1)*width]); err != nil {
			return tensor.Dense[float32]{}, fmt.Errorf("embed token %d: %w", id, err)
		}
	}
	return rows, nil
}

// NewlineRow is the model's newline, [E]; nil without one.
func (b *Bundle) NewlineRow() []float32 { return b.embeddings.newline }

// read writes a tensor's row id as f32 to row.
func (e *embeddings) read(name string, id int, row []float32) error {
	stored, err := e.table.RowRange(name, id, 1)
	if err != nil {
		return err
	}
	floats, err := stored.Floats()
	if err != nil {
		return err
	}
	if len(floats.Data) != len(row) {
		return fmt.Errorf("%s has rows of %d values, want %d", name, len(floats.Data), len(row))
	}
	copy(row, floats.Data)
	return nil
}

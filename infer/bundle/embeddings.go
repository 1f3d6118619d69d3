package bundle

import (
	"fmt"
	"os"

	"github.com/winnow-video/winnow/infer/tensor"
)

// embeddingsTensor is the one tensor of embed_tokens.safetensors.
const embeddingsTensor = "embed_tokens"

// embeddings is a token embedding table [V,E] f16 that stays on disk: a prompt
// needs a few hundred of its rows.
type embeddings struct {
	file  *os.File
	table *tensor.Reader
	shape tensor.Shape
}

func openEmbeddings(path string) (*embeddings, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	e, err := newEmbeddings(file)
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
	if dtype != tensor.F16 || len(shape) != 2 {
		return nil, fmt.Errorf("%s is %s %v, want F16 [V,E]", embeddingsTensor, dtype, []int(shape))
	}
	return &embeddings{file: file, table: table, shape: shape}, nil
}

// Embed returns the embedding rows of ids, [len(ids),E].
func (b *Bundle) Embed(ids []int32) (tensor.Dense[float32], error) {
	width := b.embeddings.shape[1]
	rows := tensor.Dense[float32]{Shape: tensor.Shape{len(ids), width}, Data: make([]float32, len(ids)*width)}
	for i, id := range ids {
		if err := b.embeddings.read(int(id), rows.Data[i*width:(i+1)*width]); err != nil {
			return tensor.Dense[float32]{}, fmt.Errorf("embed token %d: %w", id, err)
		}
	}
	return rows, nil
}

// read writes row id as f32 to row.
func (e *embeddings) read(id int, row []float32) error {
	stored, err := e.table.RowRange(embeddingsTensor, id, 1)
	if err != nil {
		return err
	}
	half, err := tensor.Elements[tensor.Float16](stored)
	if err != nil {
		return err
	}
	tensor.Widen(row, half.Data)
	return nil
}

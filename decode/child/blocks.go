package child

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	blockSize = 1 << 20 // bytes; one range request of a remote source
	maxBlocks = 32      // a whole clip of usual size, so that its second reading costs nothing
)

// blocks reads a source through a cache of aligned blocks, least recently used out first.
type blocks struct {
	src   io.ReaderAt
	size  int64
	cache map[int64][]byte
	order []int64 // block numbers, latest use last
}

func newBlocks(src io.ReaderAt, size int64) *blocks {
	return &blocks{src: src, size: size, cache: make(map[int64][]byte, maxBlocks)}
}

// read returns n bytes at offset, fewer at the source's end.
func (b *blocks) read(offset int64, n int) ([]byte, error) {
	end := min(offset+int64(n), b.size)
	if offset >= end {
		return nil, nil
	}
	out := make([]byte, 0, end-offset)
	for at := offset; at < end; at = offset + int64(len(out)) {
		block, err := b.block(at / blockSize)
		if err != nil {
			return nil, err
		}
		from := at % blockSize
		out = append(out, block[from:min(int64(len(block)), from+end-at)]...)
	}
	return out, nil
}

func (b *blocks) block(number int64) ([]byte, error) {
	if block, ok := b.cache[number]; ok {
		b.used(number)
		return block, nil
	}
	block := make([]byte, min(blockSize, b.size-number*blockSize))
	n, err := b.src.ReadAt(block, number*blockSize)
	if n < len(block) {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("read %d bytes at %d, got %d: %w", len(block), number*blockSize, n, io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	b.keep(number, block)
	return block, nil
}

func (b *blocks) keep(number int64, block []byte) {
	if len(b.order) == maxBlocks {
		delete(b.cache, b.order[0])
		b.order = slices.Delete(b.order, 0, 1)
	}
	b.cache[number] = block
	b.order = append(b.order, number)
}

func (b *blocks) used(number int64) {
	i := slices.Index(b.order, number)
	b.order = append(slices.Delete(b.order, i, i+1), number)
}

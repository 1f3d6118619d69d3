// Package bundle reads model bundles: folders with a bundle.json that names
// every file by digest. A folder goes in; what comes out is checked and small:
// the manifest, the tokenizer, rows of the embedding table, prompts, answers
// read back, FLOPs and memory. The graphs stay on disk for infer/onnx.
//
// Both sides of an inference use it: winnow to find the query vector and to
// count, winnow-infer to assemble the same prompt's embeddings. It imports
// infer/tensor for rows and workflows/job for failures.
package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Bundle is an open bundle whose files were verified. It is safe for concurrent use.
type Bundle struct {
	Manifest
	dir        string
	digest     string
	tokenizer  *Tokenizer
	template   template
	embeddings *embeddings
}

// Open verifies the bundle in folder dir and opens what prompts need. The error
// is a config/bundle failure that names the file and what to do. Close it.
func Open(ctx context.Context, dir string) (*Bundle, error) {
	m, digest, err := Verify(ctx, dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Manifest: *m, dir: dir, digest: digest}
	if err := b.open(); err != nil {
		return nil, errors.Join(refuse("%s: %v", dir, err), b.Close())
	}
	return b, nil
}

func (b *Bundle) open() (err error) {
	if b.template, err = parseTemplate(b.Template, b.FramePrefix, b.FrameSuffix); err != nil || b.Pictures() {
		return err
	}
	if b.tokenizer, err = b.readTokenizer(); err != nil {
		return err
	}
	if b.embeddings, err = openEmbeddings(b.Path(EmbeddingsFile), b.Newline != NewlineNone); err != nil {
		return err
	}
	return b.agree()
}

func (b *Bundle) readTokenizer() (*Tokenizer, error) {
	name := b.tokenizerFile()
	text, err := os.ReadFile(b.Path(name))
	if err != nil {
		return nil, err
	}
	if name == ModelFile {
		return readSentencePiece(text)
	}
	return ReadTokenizer(text)
}

// Close closes the embedding table.
func (b *Bundle) Close() error {
	if b.embeddings == nil {
		return nil
	}
	return b.embeddings.file.Close()
}

// Digest is the SHA-256 of bundle.json, in hex: it covers every file's.
func (b *Bundle) Digest() string { return b.digest }

// Short is the digest's first 12 digits, as queues name the bundle.
func (b *Bundle) Short() string { return b.digest[:12] }

// Path is where one of the bundle's files lies.
func (b *Bundle) Path(name string) string { return filepath.Join(b.dir, name) }

// Tokenizer is the model's.
func (b *Bundle) Tokenizer() *Tokenizer { return b.tokenizer }

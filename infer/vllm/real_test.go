package vllm_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/infer/vllm"
	"github.com/winnow-video/winnow/workflows/job"
)

// TestRealServer runs where WINNOW_VLLM_URL names a real vLLM server and
// WINNOW_VLLM_BUNDLE a bundle of the model it serves: `make test-vllm`. Every
// other test here asks vllmtest's server, which is none.
//
// The rows of a text's tokens must say what the server says to the same tokens
// as ids: then the file, the types and the embeddings are what it takes them for.
func TestRealServer(t *testing.T) {
	t.Parallel()
	url, dir := os.Getenv("WINNOW_VLLM_URL"), os.Getenv("WINNOW_VLLM_BUNDLE")
	if url == "" || dir == "" {
		t.Skip("WINNOW_VLLM_URL and WINNOW_VLLM_BUNDLE name no real vLLM server and no bundle of its model")
	}
	b, err := bundle.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cfg := vllm.Config{Config: endpoint.Config{URL: url, Key: os.Getenv("WINNOW_LANGUAGE_KEY")}}
	m, err := vllm.Open(t.Context(), cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	t.Log(m.Name())
	for _, text := range []string{"The capital of France is", "One, two, three, four,", "Q: Is the sky blue? A. yes B. no. The answer's letter is"} {
		checkText(t, cfg, b, m, text)
	}
}

func checkText(t *testing.T, cfg vllm.Config, b *bundle.Bundle, m *vllm.Model, text string) {
	t.Helper()
	ids := b.Tokenizer().EncodeTexts([]bundle.Text{{Text: text}})
	if b.BOS != nil {
		ids = append([]int32{*b.BOS}, ids...)
	}
	embeds, err := b.Embed(ids)
	if err != nil {
		t.Fatal(err)
	}
	greedy := job.Generation{Mode: job.ModeGenerate, MaxTokens: 8, TopP: 1}
	prompt := &infer.Prompt{Embeds: embeds, Letters: b.LetterIDs[:2], Generate: greedy}
	score := *prompt
	score.Generate.Mode = job.ModeScore
	said := m.Say(t.Context(), []*infer.Prompt{prompt, &score})
	for _, s := range said {
		if s.Err != nil {
			t.Fatal(s.Err)
		}
	}
	got, err := b.Tokenizer().Decode(said[0].IDs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(completeIDs(t, cfg, b, ids), got); diff != "" {
		t.Errorf("%q (-as ids +as rows):\n%s", text, diff)
	}
	if diff := cmp.Diff(said[0].Letters, said[1].Letters); diff != "" {
		t.Errorf("%q: letters (-generated +scored):\n%s", text, diff)
	}
}

// completeIDs is what the server says to token ids.
func completeIDs(t *testing.T, cfg vllm.Config, b *bundle.Bundle, ids []int32) string {
	t.Helper()
	server, err := endpoint.Open(cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	body, err := json.Marshal(map[string]any{
		"model": b.Language.Model, "prompt": ids, "max_tokens": 8, "temperature": 0, "stop_token_ids": b.EOS,
	})
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Choices []struct{ Text string } }
	request := endpoint.Request{Path: "/v1/completions", Size: int64(len(body)), Body: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(body)) }}
	if err := server.Ask(t.Context(), request, &said); err != nil {
		t.Fatal(err)
	}
	return said.Choices[0].Text
}

// Package vllmtest is a server with the part of vLLM's HTTP protocol that
// infer/vllm speaks, for tests. It is not vLLM: it follows the documentation and
// the source of its OpenAI server, and any infer.Language answers behind it. So
// a decoder of a bundle can be asked through the protocol and without it.
package vllmtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/workflows/job"
)

// Server is a server of one model.
type Server struct {
	Model    string
	Key      string // wanted as a bearer token; empty: none
	Language infer.Language
	Width    int // E
	Vocab    int
	Context  int
	EOS      int32
	AtLeast  int // log-probabilities of the first token that are told, however few are asked for

	// Before, if set, sees every request to /v1/completions first; true: it has answered.
	Before func(w http.ResponseWriter, r *http.Request) bool
}

// Start serves until the test ends, and returns the URL.
func (s *Server) Start(t testing.TB) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"version": "0.0.test"})
	})
	mux.HandleFunc("GET /v1/models", s.authorised(s.models))
	mux.HandleFunc("POST /v1/completions", s.authorised(s.completions))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked may have gone
}

func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	write(w, status, map[string]any{"error": map[string]any{"message": fmt.Sprintf(format, args...), "type": "BadRequestError", "code": status}})
}

func (s *Server) authorised(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.Key {
			refuse(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		next(w, r)
	}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{"object": "list", "data": []any{
		map[string]any{"id": s.Model, "object": "model", "max_model_len": s.Context},
	}})
}

// request is the fields of a completion request that this server knows.
type request struct {
	Model        string  `json:"model"`
	PromptEmbeds []byte  `json:"prompt_embeds"` // base64
	MaxTokens    int     `json:"max_tokens"`
	Temperature  float64 `json:"temperature"`
	TopP         float64 `json:"top_p"`
	Seed         uint64  `json:"seed"`
	Logprobs     int     `json:"logprobs"`
	StopTokenIDs []int32 `json:"stop_token_ids"`
	TokensAsIDs  bool    `json:"return_tokens_as_token_ids"`
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	if s.Before != nil && s.Before(w, r) {
		return
	}
	var req request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	rows, err := load(req.PromptEmbeds)
	switch {
	case req.Model != s.Model:
		refuse(w, http.StatusNotFound, "The model `%s` does not exist.", req.Model)
	case err != nil:
		refuse(w, http.StatusBadRequest, "prompt_embeds: %v", err)
	case rows.Shape[1] != s.Width:
		refuse(w, http.StatusBadRequest, "prompt_embeds are %v, want a width of %d", rows.Shape, s.Width)
	case rows.Rows()+req.MaxTokens > s.Context:
		refuse(w, http.StatusBadRequest, "This model's maximum context length is %d tokens. However, you requested %d.", s.Context, rows.Rows()+req.MaxTokens)
	case req.Logprobs > 20 || req.TopP <= 0 || req.TopP > 1 || req.MaxTokens < 1:
		refuse(w, http.StatusBadRequest, "logprobs, top_p or max_tokens out of range")
	case !req.TokensAsIDs || !slices.Contains(req.StopTokenIDs, s.EOS):
		refuse(w, http.StatusBadRequest, "this test's server wants return_tokens_as_token_ids, and the end token among stop_token_ids")
	default:
		s.answer(w, r, req, &infer.Prompt{Embeds: rows, Letters: s.vocabulary(), Generate: job.Generation{
			Mode: job.ModeGenerate, MaxTokens: req.MaxTokens, Temperature: req.Temperature, TopP: req.TopP, Seed: req.Seed,
		}})
	}
}

func (s *Server) vocabulary() []int32 {
	ids := make([]int32, s.Vocab)
	for i := range ids {
		ids[i] = int32(i)
	}
	return ids
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, req request, p *infer.Prompt) {
	said := s.Language.Say(r.Context(), []*infer.Prompt{p})[0]
	if said.Err != nil {
		refuse(w, http.StatusInternalServerError, "%v", said.Err)
		return
	}
	ids, reason := said.IDs, "length"
	if len(said.Logprobs) > len(ids) {
		ids, reason = append(slices.Clone(ids), s.EOS), "stop"
	}
	tokens, top := make([]string, len(ids)), make([]map[string]float64, len(ids))
	for i, id := range ids {
		tokens[i], top[i] = name(id), map[string]float64{name(id): said.Logprobs[i]}
	}
	if len(top) > 0 {
		maps.Copy(top[0], best(said.Letters, max(req.Logprobs, s.AtLeast)))
	}
	write(w, http.StatusOK, map[string]any{
		"id": "cmpl-1", "object": "text_completion", "model": s.Model,
		"choices": []any{map[string]any{
			"index": 0, "text": strings.Join(tokens, ""), "finish_reason": reason,
			"logprobs": map[string]any{"tokens": tokens, "token_logprobs": said.Logprobs, "top_logprobs": top, "text_offset": make([]int, len(ids))},
		}},
		"usage": map[string]int{"prompt_tokens": p.Len(), "completion_tokens": len(ids), "total_tokens": p.Len() + len(ids)},
	})
}

func name(id int32) string { return "token_id:" + strconv.Itoa(int(id)) }

// best is the n most likely of the vocabulary.
func best(logprobs []*float64, n int) map[string]float64 {
	order := make([]int, len(logprobs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(*logprobs[b], *logprobs[a]) })
	top := map[string]float64{}
	for _, id := range order[:min(n, len(order))] {
		top[name(int32(id))] = *logprobs[id]
	}
	return top
}

package infer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

const picturesManifest = `{"v":1,"name":"api","files":{},"image":{"size":8,"resize":"squash"},"grid":[1,1],"layout":"per_frame",
"frame_prefix":"{time_s} s:","newline":"none","frames":{"default":2},"images":"frame",
"template":{"prompt":"{frames}{question}{options}","options":"{list}","option":" {letter}. {text}"},
"language":{"remote":true,"model":"gpt","revision":"3","input":"frames"}}`

// chatServer answers every chat completion with text, and keeps the last request.
// It is a server of this test's own.
func chatServer(t *testing.T, text string, last *chatRequest) *Pictures {
	t.Helper()
	return picturesAt(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/chat/completions" || json.NewDecoder(r.Body).Decode(last) != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, text)
	})
}

// picturesAt has chat answer what is asked besides which models there are.
func picturesAt(t *testing.T, chat http.HandlerFunc) *Pictures {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, `{"data":[{"id":"gpt"}]}`)
			return
		}
		chat(w, r)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, bundle.ManifestFile), []byte(picturesManifest), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPictures(t.Context(), endpoint.Config{URL: server.URL, Patience: 10 * time.Second}, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// shown is a question about three frames of one colour each.
func shown(t *testing.T, g job.Generation) *Question {
	t.Helper()
	q, err := NewQuestion(job.Item{Question: "Which?", Options: []string{"red", "blue"}}, g, job.FitRefuse, keptFile([]int32{0, 1, 2}, 3))
	if err != nil {
		t.Fatal(err)
	}
	clip, frames := &tensor.File{}, tensor.New[uint8](3, 8, 16, 3)
	for i := range frames.Data {
		frames.Data[i] = uint8(100 * (i / (8 * 16 * 3)))
	}
	tensor.Put(clip, "frames", frames)
	if err := q.See(clip); err != nil {
		t.Fatal(err)
	}
	return q
}

const chatText = `{"choices":[{"finish_reason":"stop","message":{"content":" B. blue\n"}}],"usage":{"prompt_tokens":900,"completion_tokens":4}}`

// chatWord is an answer of one token.
var chatWord = strings.Replace(chatText, `"completion_tokens":4`, `"completion_tokens":1`, 1)

func TestPicturesAnswer(t *testing.T) {
	t.Parallel()
	var sent chatRequest
	p := chatServer(t, chatText, &sent)
	o := p.Answer(t.Context(), []*Question{shown(t, job.Generation{Mode: job.ModeGenerate, MaxTokens: 7, TopP: 1})})[0]
	if o.Failure != nil {
		t.Fatal(o.Failure)
	}
	want := job.Reply{
		V: 1, Answer: job.Answer{Text: "B. blue", OptionIndex: ptr(1), Letter: "B", Parse: job.ParseLetter},
		Tokens: job.Tokens{Prompt: 900, Completion: 4}, Engine: "chat completions, frames gpt@3", FLOPs: job.FLOPs{Convention: "unknown"},
		OptionLogprobs: []*float64{nil, nil}, Degraded: []string{job.DegradedLetters},
	}
	if diff := cmp.Diff(want, o.Reply); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if sent.Model != "gpt" || sent.MaxTokens != 7 || sent.Logprobs || sent.Seed != nil || len(sent.Messages) != 1 {
		t.Errorf("sent %+v", sent)
	}
	checkContent(t, sent.Messages[0].Content)
}

// checkContent wants the frames in their order, each behind its time.
func checkContent(t *testing.T, parts []chatPart) {
	t.Helper()
	var texts []string
	for i, part := range parts {
		if part.Type == "text" {
			texts = append(texts, part.Text)
			continue
		}
		text, ok := strings.CutPrefix(part.Image.URL, "data:image/jpeg;base64,")
		body, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			t.Fatalf("part %d: %.40q, %v", i, part.Image.URL, err)
		}
		img, err := jpeg.Decode(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		grey, _, _, _ := img.At(3, 3).RGBA()
		if want := uint32(100 * (i / 2)); img.Bounds().Dx() != 16 || img.Bounds().Dy() != 8 || grey>>8 > want+2 || grey>>8+2 < want {
			t.Errorf("part %d: %v, %d, want 16×8 of %d", i, img.Bounds(), grey>>8, want)
		}
	}
	if diff := cmp.Diff([]string{"0.00 s:", "0.00 s:", "0.00 s:", "Which? A. red B. blue"}, texts); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func TestPicturesScore(t *testing.T) {
	t.Parallel()
	var sent chatRequest
	p := chatServer(t, `{"choices":[{"finish_reason":"length","message":{"content":"A"},"logprobs":{"content":[{"top_logprobs":[
		{"token":" A","logprob":-3},{"token":"A","logprob":-1},{"token":"The","logprob":-2}]}]}}],"usage":{}}`, &sent)
	o := p.Answer(t.Context(), []*Question{shown(t, job.Generation{Mode: job.ModeScore, MaxTokens: 7})})[0]
	if o.Failure != nil {
		t.Fatal(o.Failure)
	}
	if !sent.Logprobs || sent.TopLogprobs != 20 || sent.MaxTokens != 1 {
		t.Errorf("sent %+v", sent)
	}
	want := job.Reply{
		V: 1, Answer: job.Answer{Text: "A", OptionIndex: ptr(0), Letter: "A", Parse: job.ParseScore}, OptionLogprobs: []*float64{ptr(0.), nil},
		Confidence: ptr(1.), Degraded: []string{job.DegradedLetters}, Engine: p.Name(), FLOPs: job.FLOPs{Convention: "unknown"},
	}
	if diff := cmp.Diff(want, o.Reply, cmpopts.EquateApprox(0, 1e-4)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPicturesBadAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		says string
	}{
		"garbage":     {"<html>", "cannot be read"},
		"nothing":     {"{}", "0 choices"},
		"no content":  {strings.Replace(chatWord, `" B. blue\n"`, "null", 1), "no content"},
		"filtered":    {strings.Replace(chatWord, `"stop"`, `"content_filter"`, 1), "content_filter"},
		"no logprobs": {chatWord, "no logprobs"},
		"odd usage":   {strings.Replace(chatWord, `"prompt_tokens":`, `"prompt_tokens":-`, 1), "usage counts -"},
		"odd count":   {strings.Replace(chatWord, `"completion_tokens":`, `"completion_tokens":-`, 1), "and -1 tokens"},
		"too many":    {strings.Replace(chatWord, `"completion_tokens":1`, `"completion_tokens":2`, 1), "and 2 tokens: want at most 1"},
		"too long":    {strings.Replace(chatWord, "B. blue", strings.Repeat("b", 600), 1), "is more than 1 tokens"},
		"null":        {strings.Replace(chatWord, `"message"`, `"logprobs":{"content":[{"top_logprobs":[{"token":"A","logprob":null}]}]},"message"`, 1), "no log-probability"},
	} {
		o := chatServer(t, test.text, &chatRequest{}).Answer(t.Context(), []*Question{shown(t, job.Generation{Mode: job.ModeScore})})[0]
		if o.Failure == nil || o.Failure.Code != job.ModelContract || !strings.Contains(o.Failure.Detail, test.says) {
			t.Errorf("%s: %+v, want %s with %q", name, o, job.ModelContract, test.says)
		}
	}
}

// A question on which the server fails ends, even where nobody else asks: it
// answers one word.
func TestPicturesFailOnOneQuestion(t *testing.T) {
	t.Parallel()
	p := picturesAt(t, func(w http.ResponseWriter, r *http.Request) {
		if text, _ := io.ReadAll(r.Body); bytes.Contains(text, []byte("image_url")) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "cannot see")
			return
		}
		fmt.Fprint(w, chatWord)
	})
	o := p.Answer(t.Context(), []*Question{shown(t, job.Generation{Mode: job.ModeGenerate, MaxTokens: 7, TopP: 1})})[0]
	if o.Failure == nil || o.Failure.Code != job.ModelError || !strings.Contains(o.Failure.Detail, "cannot see") {
		t.Errorf("%+v, want %s", o, job.ModelError)
	}
}

// As with a decoder here, there must be something to choose from.
func TestPicturesScoreWithoutOptions(t *testing.T) {
	t.Parallel()
	q := shown(t, job.Generation{Mode: job.ModeScore})
	q.Item.Options = nil
	if o := chatServer(t, chatText, &chatRequest{}).Answer(t.Context(), []*Question{q})[0]; o.Failure == nil || o.Failure.Code != job.ConfigInvalid {
		t.Errorf("%+v, want %s", o, job.ConfigInvalid)
	}
}

func TestSeeRefuses(t *testing.T) {
	t.Parallel()
	q := shown(t, job.Generation{})
	for name, shape := range map[string][]int{"two frames": {2, 8, 8, 3}, "grey": {3, 8, 8, 1}, "empty": {3, 0, 8, 3}} {
		clip := &tensor.File{}
		tensor.Put(clip, "frames", tensor.New[uint8](shape...))
		if err := q.See(clip); err == nil {
			t.Errorf("%s: seen", name)
		}
	}
	p := chatServer(t, chatText, &chatRequest{})
	q.pictures = tensor.Dense[uint8]{}
	if o := p.Answer(t.Context(), []*Question{q})[0]; o.Failure == nil || o.Failure.Code != job.ModelContract {
		t.Errorf("without a clip: %+v", o)
	}
}

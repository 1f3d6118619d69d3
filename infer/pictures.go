package infer

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"strings"
	"sync"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Pictures puts questions to a server that speaks OpenAI's chat completions, with
// frames as images. The model encodes whole frames: nothing is pruned, and
// records say "frames".
type Pictures struct {
	bundle *bundle.Bundle
	server *endpoint.Endpoint
}

// NewPictures looks whether the server serves the bundle's model. Close it.
func NewPictures(ctx context.Context, cfg endpoint.Config, b *bundle.Bundle) (*Pictures, error) {
	var err error
	word := chatRequest{Model: b.Language.Model, MaxTokens: 1, TopP: 1}
	if cfg.Probe, err = word.of([]chatPart{{Type: "text", Text: "Hello"}}); err != nil {
		return nil, err
	}
	server, err := endpoint.Open(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := server.Serves(ctx, b.Language.Model); err != nil {
		server.Close()
		return nil, err
	}
	return &Pictures{bundle: b, server: server}, nil
}

// Close drops the connections.
func (p *Pictures) Close() error {
	p.server.Close()
	return nil
}

// Name is what records call it.
func (p *Pictures) Name() string { return "chat completions, frames " + p.bundle.Language.Title() }

// Answer implements Answers: all at once; the endpoint bounds what is in flight.
func (p *Pictures) Answer(ctx context.Context, questions []*Question) []Outcome {
	outcomes := make([]Outcome, len(questions))
	var group sync.WaitGroup
	for i, q := range questions {
		group.Go(func() {
			var err error
			if outcomes[i].Reply, err = p.answer(ctx, q); err != nil {
				outcomes[i] = Outcome{Failure: job.AsFailure(job.StageAnswer, err)}
			}
		})
	}
	group.Wait()
	return outcomes
}

// Rows implements Answers: only the server knows them.
func (p *Pictures) Rows(*Question) int { return 0 }

func (p *Pictures) answer(ctx context.Context, q *Question) (job.Reply, error) {
	if q.pictures.Data == nil {
		return job.Reply{}, contract(job.StageAnswer, "the request names no clip, and the model is shown frames")
	}
	if err := q.scorable(); err != nil {
		return job.Reply{}, err
	}
	request, err := p.request(q)
	if err != nil {
		return job.Reply{}, err
	}
	var c chatCompletion
	if err := p.server.Ask(ctx, request, &c); err != nil {
		return job.Reply{}, err
	}
	return p.reply(q, &c)
}

// chatPart is a part of a message's content.
type chatPart struct {
	Type  string     `json:"type"`
	Text  string     `json:"text,omitempty"`
	Image *chatImage `json:"image_url,omitempty"`
}

type chatImage struct {
	URL string `json:"url"`
}

type chatMessage struct {
	Role    string     `json:"role"`
	Content []chatPart `json:"content"`
}

// chatRequest asks for log-probabilities to score alone: many servers have none.
type chatRequest struct {
	Model       string        `json:"model"`
	Messages    []chatMessage `json:"messages"`
	MaxTokens   int           `json:"max_tokens"`
	Temperature float64       `json:"temperature"`
	TopP        float64       `json:"top_p"`
	Seed        *int64        `json:"seed,omitempty"`
	Logprobs    bool          `json:"logprobs,omitempty"`
	TopLogprobs int           `json:"top_logprobs,omitempty"`
}

func (p *Pictures) request(q *Question) (endpoint.Request, error) {
	r := chatRequest{Model: p.bundle.Language.Model, MaxTokens: 1, TopP: 1}
	switch g := q.Generate; {
	case g.Mode == job.ModeScore:
		r.Logprobs, r.TopLogprobs = true, 20
	default:
		r.MaxTokens, r.Temperature, r.TopP = g.MaxTokens, g.Temperature, g.TopP
		if seed := int64(g.Seed); g.Temperature > 0 {
			r.Seed = &seed
		}
	}
	content, err := p.content(q)
	if err != nil {
		return endpoint.Request{}, err
	}
	return r.of(content)
}

// of is a request with what the model is shown.
func (r chatRequest) of(content []chatPart) (endpoint.Request, error) {
	r.Messages = []chatMessage{{Role: "user", Content: content}}
	text, err := json.Marshal(r)
	if err != nil {
		return endpoint.Request{}, err
	}
	body := func() io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }
	return endpoint.Request{Path: "/v1/chat/completions", Body: body, Size: int64(len(text))}, nil
}

func (p *Pictures) content(q *Question) ([]chatPart, error) {
	var parts []chatPart
	for _, part := range p.bundle.Parts(q.text()) {
		if part.Text != "" {
			parts = append(parts, chatPart{Type: "text", Text: part.Text})
			continue
		}
		url, err := picture(q.pictures, part.Frame)
		if err != nil {
			return nil, err
		}
		parts = append(parts, chatPart{Type: "image_url", Image: &chatImage{url}})
	}
	return parts, nil
}

// picture is frame t of frames [T,H,W,3] as a JPEG in a data URL.
func picture(frames tensor.Dense[uint8], t int) (string, error) {
	const quality = 95 // what the models' own tools save with, or less
	height, width, rgb := frames.Shape[1], frames.Shape[2], frames.Row(t)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range height * width {
		copy(img.Pix[4*i:], rgb[3*i:3*i+3])
		img.Pix[4*i+3] = 0xff
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return "", err
	}
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// chatCompletion is what is read of an answer to /v1/chat/completions.
type chatCompletion struct {
	Choices []struct {
		FinishReason string `json:"finish_reason"`
		Message      struct {
			Content *string `json:"content"`
		} `json:"message"`
		Logprobs *struct {
			Content []struct {
				Top []chatLogprob `json:"top_logprobs"`
			} `json:"content"`
		} `json:"logprobs"`
	} `json:"choices"`
	Usage endpoint.Usage `json:"usage"`
}

type chatLogprob struct {
	Token   string   `json:"token"`
	Logprob *float64 `json:"logprob"`
}

// reply checks an answer and makes a reply of it. How many visual tokens there
// were and what they cost, only the server knows.
func (p *Pictures) reply(q *Question, c *chatCompletion) (job.Reply, error) {
	if err := c.check(q.Generate.Tokens()); err != nil {
		return job.Reply{}, contract(job.StageAnswer, "the language server's answer: %v", err)
	}
	choice := c.Choices[0]
	r := job.Reply{
		V: job.Version, Engine: p.Name(), FLOPs: job.FLOPs{Convention: "unknown"},
		Tokens: job.Tokens{Prompt: c.Usage.Prompt, Completion: c.Usage.Completion},
	}
	if q.Generate.Mode == job.ModeScore {
		letters, err := c.letters(len(q.Item.Options))
		if err != nil {
			return job.Reply{}, contract(job.StageAnswer, "the language server's answer: %v", err)
		}
		r.OptionLogprobs = optionLogprobs(letters)
		r.Answer = bestOption(r.OptionLogprobs)
	} else {
		r.OptionLogprobs = optionLogprobs(make([]*float64, len(q.Item.Options))) // not asked for, so none is known
		r.Answer = bundle.ParseAnswer(strings.TrimSpace(*choice.Message.Content), q.Item.Options)
	}
	r.Confidence = confidence(r.Answer, r.OptionLogprobs, nil)
	r.Degraded = degraded(&asked{}, r)
	return r, nil
}

// tokenBytes is more than a token has: the longest of common vocabularies are 128 spaces.
const tokenBytes = 512

// check refuses what is no answer of up to most tokens.
func (c *chatCompletion) check(most int) error {
	if len(c.Choices) != 1 || c.Choices[0].Message.Content == nil {
		return fmt.Errorf("%d choices, or no content: want one with it", len(c.Choices))
	}
	if reason := c.Choices[0].FinishReason; reason != "stop" && reason != "length" {
		return fmt.Errorf("finish_reason is %q", reason)
	}
	if c.Usage.Prompt < 0 || c.Usage.Completion < 0 || c.Usage.Completion > most {
		return fmt.Errorf("usage counts %d and %d tokens: want at most %d to answer", c.Usage.Prompt, c.Usage.Completion, most)
	}
	if n := len(*c.Choices[0].Message.Content); n > most*tokenBytes {
		return fmt.Errorf("content of %d bytes is more than %d tokens", n, most)
	}
	return nil
}

// letters looks the options' letters up among the first token's most likely
// texts. Of several texts of one letter, "A" and " A", the likeliest counts.
func (c *chatCompletion) letters(options int) ([]*float64, error) {
	logprobs := c.Choices[0].Logprobs
	if logprobs == nil || len(logprobs.Content) == 0 {
		return nil, errors.New("no logprobs: the server has none, so ask it to generate in place of score")
	}
	found := make([]*float64, options)
	for _, top := range logprobs.Content[0].Top {
		if top.Logprob == nil || *top.Logprob > 1e-3 {
			return nil, fmt.Errorf("token %.20q has no log-probability", top.Token)
		}
		for i := range found {
			if strings.TrimSpace(top.Token) == job.Letter(i) && (found[i] == nil || *top.Logprob > *found[i]) {
				found[i] = top.Logprob
			}
		}
	}
	return found, nil
}

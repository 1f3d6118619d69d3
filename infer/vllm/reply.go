package vllm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/workflows/job"
)

// completion is what is read of an answer to /v1/completions. Numbers are
// pointers where a missing one must not pass for 0.
type completion struct {
	Choices []struct {
		FinishReason string `json:"finish_reason"`
		Logprobs     *struct {
			Tokens   []string              `json:"tokens"` // token_id:N
			Logprobs []*float64            `json:"token_logprobs"`
			Top      []map[string]*float64 `json:"top_logprobs"`
		} `json:"logprobs"`
	} `json:"choices"`
	Usage endpoint.Usage `json:"usage"`
}

// read checks an answer against what was asked and makes an utterance of it.
func (m *Model) read(p *infer.Prompt, c *completion) (*infer.Utterance, error) {
	if len(c.Choices) != 1 || c.Choices[0].Logprobs == nil {
		return nil, fmt.Errorf("%d choices, or no logprobs: want one with them", len(c.Choices))
	}
	choice := c.Choices[0]
	said := choice.Logprobs
	n := len(said.Tokens)
	if n == 0 || n > max(1, p.Most()) || len(said.Logprobs) != n || len(said.Top) != n {
		return nil, fmt.Errorf("%d tokens, %d logprobs and %d top_logprobs: want as many of each, 1 to %d", n, len(said.Logprobs), len(said.Top), max(1, p.Most()))
	}
	if c.Usage.Prompt != p.Len() || c.Usage.Completion != n {
		return nil, fmt.Errorf("usage counts %d and %d tokens, but the prompt had %d rows and the answer has %d", c.Usage.Prompt, c.Usage.Completion, p.Len(), n)
	}
	u := &infer.Utterance{}
	for i, token := range said.Tokens {
		id, err := m.token(token)
		if err != nil {
			return nil, err
		}
		x, err := logprob(said.Logprobs[i])
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", i, err)
		}
		u.IDs, u.Logprobs = append(u.IDs, id), append(u.Logprobs, x)
	}
	var err error
	if u.Letters, err = letters(p.Letters, said.Top[0]); err != nil {
		return nil, err
	}
	if p.Generate.Mode == job.ModeScore {
		u.IDs, u.Logprobs = nil, nil // asked for the letters alone
		return u, nil
	}
	return u, m.end(u, choice.FinishReason)
}

// end takes the end token off an answer, and wants it where the server says
// that the answer ended, and nowhere else.
func (m *Model) end(u *infer.Utterance, reason string) error {
	last := len(u.IDs) - 1
	at := slices.IndexFunc(u.IDs, m.ends)
	switch {
	case reason == "stop" && at == last:
		u.IDs = u.IDs[:last]
		return nil
	case reason == "stop" && at < 0:
		return fmt.Errorf("it stops at token %d, which is no end token of the bundle: serve with --generation-config vllm, or export the model again", u.IDs[last])
	case reason == "length" && at < 0:
		return nil
	}
	return fmt.Errorf("finish_reason is %q, with an end token at %d of %d", reason, at, len(u.IDs))
}

func (m *Model) ends(id int32) bool { return slices.Contains(m.bundle.EOS, id) }

// token reads "token_id:5".
func (m *Model) token(text string) (int32, error) {
	digits, ok := strings.CutPrefix(text, tokenPrefix)
	id, err := strconv.ParseInt(digits, 10, 32)
	if !ok || err != nil || id < 0 || int(id) >= m.bundle.Dims.Language.Vocab {
		return 0, fmt.Errorf("token %.40q: want %sN, N below %d", text, tokenPrefix, m.bundle.Dims.Language.Vocab)
	}
	return int32(id), nil
}

const tokenPrefix = "token_id:"

// letters looks ids up among a position's most likely tokens.
func letters(ids []int32, top map[string]*float64) ([]*float64, error) {
	found := make([]*float64, len(ids))
	for i, id := range ids {
		given, known := top[tokenPrefix+strconv.Itoa(int(id))]
		if !known {
			continue
		}
		x, err := logprob(given)
		if err != nil {
			return nil, fmt.Errorf("letter %s: %w", job.Letter(i), err)
		}
		found[i] = &x
	}
	return found, nil
}

// logprob accepts rounding above 0. JSON has no NaN and no infinity; a server sends null for them.
func logprob(x *float64) (float64, error) {
	switch {
	case x == nil:
		return 0, errors.New("no log-probability")
	case *x > 1e-3:
		return 0, fmt.Errorf("a log-probability of %g", *x)
	}
	return min(*x, 0), nil
}

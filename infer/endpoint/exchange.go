package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/wait"
)

// exchange is one HTTP request and its answer.
type exchange struct {
	base   string
	cfg    Config
	client *http.Client
}

func (e exchange) ask(ctx context.Context, r Request) ([]byte, error) {
	bounded, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	req, err := e.request(bounded, r)
	if err != nil {
		return nil, err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, e.broken(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, e.refused(resp)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, e.cfg.MaxReply+1))
	switch {
	case err != nil:
		return nil, e.broken(ctx, fmt.Errorf("its answer broke off: %w", err))
	case int64(len(text)) > e.cfg.MaxReply:
		return nil, job.Fail(job.StageAnswer, job.ModelContract, "the language server's answer is longer than %d bytes", e.cfg.MaxReply)
	case !isJSON(resp.Header):
		return nil, job.Fail(job.StageAnswer, job.ModelContract, "the language server's answer is %s, want application/json", clip(strconv.Quote(resp.Header.Get("Content-Type"))))
	}
	return text, nil
}

func (e exchange) request(ctx context.Context, r Request) (*http.Request, error) {
	method, body := http.MethodGet, io.ReadCloser(http.NoBody)
	if r.Body != nil {
		method, body = http.MethodPost, r.Body()
	}
	req, err := http.NewRequestWithContext(ctx, method, e.base+r.Path, body)
	if err != nil {
		return nil, err
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.ContentLength = r.Size
		req.GetBody = func() (io.ReadCloser, error) { return r.Body(), nil }
	}
	req.Header.Set("Accept", "application/json")
	if e.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+e.cfg.Key)
	}
	return req, nil
}

// broken is an exchange that did not come to its end. One that ran out of its
// own time may do better next time.
func (e exchange) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &again{why: fmt.Sprintf("no answer in %v", e.cfg.Timeout)}
	}
	var inner *url.Error // its text has the URL, which who reads the failure did not choose
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &again{why: e.tell(err.Error())}
}

// refused is the meaning of an answer that is not 200. What is wrong with the
// item ends it, and few answers say that; what is wrong with the server, the way
// to it or the key does not.
func (e exchange) refused(resp *http.Response) error {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came of it says enough
	said := fmt.Sprintf("it answers %d: %s", resp.StatusCode, e.tell(message(head)))
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500 && code != http.StatusNotImplemented:
		return &again{after: wait.RetryAfter(resp.Header), failed: code == http.StatusInternalServerError, why: said}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return job.Fail(job.StageAnswer, job.CapacityUnavailable, "the language server refuses the key: %s", said)
	case code == http.StatusNotFound:
		return job.Fail(job.StageAnswer, job.CapacityUnavailable, "the language server does not serve the model, or not this way: %s", said)
	case code == http.StatusRequestEntityTooLarge:
		return job.Fail(job.StageAnswer, job.ModelError, "the prompt is too large for the language server: raise its limit on a request's bytes, or that of what stands before it: %s", said)
	case isContext(head):
		return job.Fail(job.StageAnswer, job.ConfigContext, "the prompt does not fit the context that the language server was started with: %s", said)
	case isNotFinite(head):
		return job.Fail(job.StageAnswer, job.ModelNotFinite, "the language model returned NaN or infinity: %s", said)
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity:
		return job.Fail(job.StageAnswer, job.ModelError, "the language server refuses the request: %s", said)
	default:
		return job.Fail(job.StageAnswer, job.CapacityUnavailable, "the language server, or what stands before it, does not take requests this way: %s", said)
	}
}

// isNotFinite knows the words of Python's JSON, with which vLLM answers 400 where
// a log-probability is no number.
func isNotFinite(head []byte) bool { return bytes.Contains(head, []byte("not JSON compliant")) }

// message is what an error answer says: {"error":{"message"}} as OpenAI, {"message"} as vLLM did, or its text.
func message(body []byte) string {
	var known struct {
		Error   struct{ Message string }
		Message string
	}
	switch err := json.Unmarshal(body, &known); {
	case err == nil && known.Error.Message != "":
		return known.Error.Message
	case err == nil && known.Message != "":
		return known.Message
	}
	return string(body)
}

// isContext recognises a prompt that is too long. OpenAI has a code for it; vLLM says so.
func isContext(body []byte) bool {
	said := strings.ToLower(string(body))
	for _, sign := range []string{"context_length_exceeded", "maximum context length", "maximum model length", "max_model_len", "max_tokens must be at least 1, got 0"} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

// tell is a server's text in one line of bounded length, without the key.
func (e exchange) tell(text string) string {
	if e.cfg.Key != "" {
		text = strings.ReplaceAll(text, e.cfg.Key, "[key]")
	}
	return clip(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
}

// clip bounds what a server says: it ends up in records.
func clip(text string) string {
	const most = 300
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// parse reads an answer. NaN and Infinity, which Python writes and JSON has
// not, are told apart from other nonsense.
func parse(text []byte, reply any) error {
	err := json.Unmarshal(text, reply)
	switch {
	case err == nil:
		return nil
	case bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Infinity")):
		return job.Fail(job.StageAnswer, job.ModelNotFinite, "the language server's answer has NaN or infinity")
	}
	return job.Fail(job.StageAnswer, job.ModelContract, "the language server's answer cannot be read: %s", clip(err.Error()))
}

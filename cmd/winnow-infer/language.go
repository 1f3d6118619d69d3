package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/vllm"
	"github.com/winnow-video/winnow/workflows/stack"
)

// longestPatience is the most that one prompt waits for the language server.
const longestPatience = 5 * time.Minute

// languageConfig completes the flags for a bundle whose language model is
// remote. Any other bundle has no use for a server.
func (o options) languageConfig(b *bundle.Bundle, services stack.Services) (vllm.Config, error) {
	c := o.language
	if !b.Remote() {
		if c.URL != "" {
			return c, fmt.Errorf("--language-url %s: %s has a %s of its own: leave the flag out", c.URL, o.bundle, bundle.DecoderFile)
		}
		return c, nil
	}
	c.URL = cmp.Or(c.URL, os.Getenv(languageURLVariable), services.LanguageURL)
	if c.URL == "" {
		return c, fmt.Errorf("--language-url is missing: %s has a remote language model, %q: name the vLLM server that serves it", o.bundle, b.Language.Model)
	}
	c.Key = os.Getenv(o.languageKey)
	if c.Key == "" && o.languageKey != languageKeyVariable {
		return c, errors.New("--language-key-env " + o.languageKey + ": that variable is not set, or empty")
	}
	// A request that waits is not a device that hangs: it ends before --limit does.
	c.Patience = min(longestPatience, o.limit/2)
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("--language-url or --language-dtype: %w", err)
	}
	return c, nil
}

// openLanguage loads the bundle's decoder, or finds the server of its language model.
func (o options) openLanguage(ctx context.Context, engine infer.Engine, b *bundle.Bundle) (infer.Language, error) {
	if b.Remote() {
		return vllm.Open(ctx, o.language, b)
	}
	return infer.NewDecoder(engine, b, infer.Limits{Rows: o.rows, KV: o.kv})
}

// apart is how many questions run side by side, each alone; 0: in batches.
func (o options) apart(b *bundle.Bundle) int {
	if b.Remote() {
		return o.language.InFlight
	}
	return 0
}

// engineNames is what runs here, and what answers where that is another.
func engineNames(engine infer.Engine, language infer.Language) string {
	if engine.Name() == language.Name() {
		return engine.Name()
	}
	return engine.Name() + " and " + language.Name()
}

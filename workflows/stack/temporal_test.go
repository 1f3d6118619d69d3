package stack_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
	"github.com/winnow-video/winnow/workflows/trust"
)

// TestTemporalRefuses wants one line with the reason and what to do.
func TestTemporalRefuses(t *testing.T) {
	t.Parallel()
	good := stacktest.Start(t).Temporal
	certificate := stacktest.NewCertificate(t)
	tlsOnly := stacktest.FrontTLS(t, certificate, good.Address)
	silent := stacktest.FrontSilent(t)
	for name, test := range map[string]struct {
		change func(*stack.Temporal)
		want   []string
	}{
		"no port":           {func(c *stack.Temporal) { c.Address = "temporal" }, []string{`temporal.address "temporal": want host:port`}},
		"nobody there":      {func(c *stack.Temporal) { c.Address = stacktest.ClosedPort(t) }, []string{"connection refused", "look whether it runs"}},
		"silence":           {func(c *stack.Temporal) { c.Address = silent }, []string{"temporal at " + silent, "look whether it runs"}},
		"no such namespace": {func(c *stack.Temporal) { c.Namespace = "nix" }, []string{`has no namespace "nix"`, "operator namespace create"}},
		"TLS, unknown":      {func(c *stack.Temporal) { c.Address, c.TLS.Enabled = tlsOnly, true }, []string{"x509:", "check temporal.tls.ca_file"}},
		"two keys":          {func(c *stack.Temporal) { c.APIKey, c.APIKeyFile = "hidden", "f" }, []string{"temporal.api_key and temporal.api_key_file are both set"}},
		"no key file":       {func(c *stack.Temporal) { c.APIKeyFile = "nowhere" }, []string{"temporal.api_key_file: open nowhere"}},
		"no CA file":        {func(c *stack.Temporal) { c.TLS.CA = "nowhere" }, []string{"temporal.tls.ca_file: open nowhere"}},
		"half a pair":       {func(c *stack.Temporal) { c.TLS.Cert = "c.pem" }, []string{"temporal.tls.key_file is missing"}},
		"not a CA":          {func(c *stack.Temporal) { c.TLS.CA = certificate.KeyFile }, []string{"temporal.tls.ca_file", "holds no certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.change(&c)
			_, err := c.Dial(t.Context(), slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("Dial connects")
			}
			for _, want := range append(test.want, "") {
				if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "\n") || strings.Contains(text, "hidden") {
					t.Errorf("Dial: %q, want one line with %q", text, want)
				}
			}
		})
	}
}

// TestTemporalTLS connects through TLS with a certificate of its own, and an
// API key, which the embedded server does not look at.
func TestTemporalTLS(t *testing.T) {
	t.Parallel()
	c, certificate := stacktest.Start(t).Temporal, stacktest.NewCertificate(t)
	c.Address = stacktest.FrontTLS(t, certificate, c.Address)
	c.TLS = trust.Files{CA: certificate.File, Cert: certificate.File, Key: certificate.KeyFile}
	c.APIKeyFile = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(c.APIKeyFile, []byte("k\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := c.Dial(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

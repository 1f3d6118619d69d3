package bus_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
	"github.com/winnow-video/winnow/workflows/trust"
)

// TestOutsideRefuses wants one line with the reason and what to do, and no password in it.
func TestOutsideRefuses(t *testing.T) {
	t.Parallel()
	good := fast(stacktest.Start(t).NATS)
	certificate := stacktest.NewCertificate(t)
	tlsOnly := "nats://" + stacktest.FrontNATS(t, certificate, strings.TrimPrefix(good.URL, "nats://"))
	silent := "nats://" + stacktest.FrontSilent(t)
	for name, test := range map[string]struct {
		change func(*bus.Config)
		want   string
	}{
		"wrong password":  {func(c *bus.Config) { c.Password = "hidden" }, "check nats.user and nats.password"},
		"no user":         {func(c *bus.Config) { c.User, c.Password = "", "" }, "check nats.user and nats.password"},
		"password in URL": {func(c *bus.Config) { c.URL = "nats://u:hidden@host:4222" }, "the URL of host:4222 holds credentials"},
		"no scheme":       {func(c *bus.Config) { c.URL = "hidden@host:4222" }, "nats.urls: want nats://host:port"},
		"silence":         {func(c *bus.Config) { c.URL = silent }, "look whether the server runs"},
		"unknown CA":      {func(c *bus.Config) { c.URL = tlsOnly }, "check nats.tls"},
		"no TLS there":    {func(c *bus.Config) { c.TLS.Enabled = true }, "check nats.tls, and whether the server speaks TLS"},
		"no creds file":   {func(c *bus.Config) { c.User, c.Password, c.CredsFile = "", "", "nowhere" }, "nats.creds_file: stat nowhere"},
		"two credentials": {func(c *bus.Config) { c.CredsFile = "f" }, "nats.creds_file and nats.user are both set"},
		"replicas":        {func(c *bus.Config) { c.Replicas = 7 }, "nats.replicas: 7: want 1 to 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.change(&c)
			_, err := bus.Connect(t.Context(), c)
			if err == nil {
				t.Fatal("Connect connects")
			}
			if text := err.Error(); !strings.Contains(text, test.want) || strings.Contains(text, "\n") || strings.Contains(text, "hidden") {
				t.Errorf("Connect: %q, want one line with %q", text, test.want)
			}
		})
	}
}

// TestTLS reaches the real server through TLS, one of its addresses being nobody's.
func TestTLS(t *testing.T) {
	t.Parallel()
	c, certificate := fast(stacktest.Start(t).NATS), stacktest.NewCertificate(t)
	c.URL = "tls://" + stacktest.ClosedPort(t) + ", tls://" + stacktest.FrontNATS(t, certificate, strings.TrimPrefix(c.URL, "nats://"))
	c.TLS = trust.Files{CA: certificate.File, Cert: certificate.File, Key: certificate.KeyFile}
	b := connectTo(t, c)
	if _, err := b.Workers(t.Context()); err != nil {
		t.Error(err)
	}
	server, err := bus.Examine(t.Context(), c, false)
	if err != nil || !server.TLS {
		t.Errorf("Examine: TLS %v, %v", server.TLS, err)
	}
}

// TestExamine looks at a server that has nothing, makes what is absent, and
// leaves alone what is otherwise.
func TestExamine(t *testing.T) {
	t.Parallel()
	c := stacktest.StartIn(t, t.TempDir()).Services.NATS
	_, js := stacktest.RawNATS(t, c)
	other := jetstream.StreamConfig{Name: bus.InferStream, Subjects: []string{"winnow.infer.v1.>"}, MaxMsgsPerSubject: 9}
	if _, err := js.CreateStream(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	wantHoldings(t, c, false, func(h bus.Holding) bool { return h.Absent })
	if _, err := js.Stream(t.Context(), bus.EventStream); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("looking made a stream: %v", err)
	}
	wantHoldings(t, c, true, func(h bus.Holding) bool { return h.Made && h.Err == nil })
	wantHoldings(t, c, true, func(h bus.Holding) bool { return !h.Made && !h.Absent && h.Err == nil })
	stream, err := js.Stream(t.Context(), bus.InferStream)
	if err != nil || stream.CachedInfo().Config.MaxMsgsPerSubject != 9 {
		t.Errorf("the stream with other settings was changed: %v", err)
	}
}

// wantHoldings wants the first stream to differ, and the rest to be as is says.
func wantHoldings(t *testing.T, c bus.Config, fix bool, is func(bus.Holding) bool) {
	t.Helper()
	server, err := bus.Examine(t.Context(), c, fix)
	if err != nil || len(server.Holdings) != 5 {
		t.Fatalf("Examine: %d holdings, %v", len(server.Holdings), err)
	}
	first := server.Holdings[0]
	if !errors.Is(first.Err, bus.ErrSettings) || !strings.Contains(first.Err.Error(), "max_msgs_per_subject is 9, want 1") {
		t.Errorf("%s: %v, want its differences", first.Name, first.Err)
	}
	for _, h := range server.Holdings[1:] {
		if !is(h) {
			t.Errorf("with fix %v: %+v", fix, h)
		}
	}
}

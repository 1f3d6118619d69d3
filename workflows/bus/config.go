package bus

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/winnow-video/winnow/workflows/trust"
)

// Config says where NATS is and how patient Winnow is with it. Zero durations
// and counts take their defaults.
type Config struct {
	URL       string      `json:"url"` // required: nats://host:port; several servers of a cluster are separated by commas
	User      string      `json:"user"`
	Password  string      `json:"password"`
	CredsFile string      `json:"-"` // JWT and seed, in place of User and Password; read anew for every connection
	TLS       trust.Files `json:"tls,omitzero"`
	Name      string      `json:"-"` // of the connection, as the server lists it

	AckWait   time.Duration `json:"-"` // silence after which a worker's requests go to another; default 30 s
	LookEvery time.Duration `json:"-"` // how often a waiter looks for the object and asks again; default 15 s
	WorkerTTL time.Duration `json:"-"` // silence after which a worker counts as gone; default 30 s
	Patience  time.Duration `json:"-"` // how long trouble of kind capacity is waited out; default 15 min
	Replicas  int           `json:"-"` // of streams and buckets that do not exist yet; default 1

	Logger *slog.Logger `json:"-"` // of what no caller hears; default none
}

// WithDefaults fills in what is zero.
func (c Config) WithDefaults() Config {
	c.AckWait = cmp.Or(c.AckWait, 30*time.Second)
	c.LookEvery = cmp.Or(c.LookEvery, 15*time.Second)
	c.WorkerTTL = cmp.Or(c.WorkerTTL, 30*time.Second)
	c.Patience = cmp.Or(c.Patience, 15*time.Minute)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.URL == "":
		return errors.New("nats.urls is missing")
	case c.CredsFile != "" && c.User+c.Password != "":
		return errors.New("nats.creds_file and nats.user are both set: keep one")
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("nats.replicas: %d: want 1 to 5, and no more than the cluster has servers", c.Replicas)
	}
	for one := range strings.SplitSeq(c.URL, ",") {
		if err := checkURL(strings.TrimSpace(one)); err != nil {
			return err
		}
	}
	return c.TLS.Validate("nats.tls")
}

// checkURL refuses what would end in a log: URLs are shown, credentials never.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		return errors.New("nats.urls: want nats://host:port or tls://host:port, several separated by commas")
	case u.User != nil:
		return fmt.Errorf("nats.urls: the URL of %s holds credentials: leave them out, and set nats.user and nats.password, or nats.creds_file", u.Host)
	}
	return nil
}

package bus

import (
	"cmp"
	"errors"
	"log/slog"
	"time"
)

// Config says where NATS is and how patient Winnow is with it. Zero durations
// and counts take their defaults.
type Config struct {
	URL      string `json:"url"` // required; several servers of a cluster are separated by commas
	User     string `json:"user"`
	Password string `json:"password"`
	Name     string `json:"-"` // of the connection, as the server lists it

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

// Validate names the field that is missing.
func (c Config) Validate() error {
	if c.URL == "" {
		return errors.New("nats.url is missing")
	}
	return nil
}

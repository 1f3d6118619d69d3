// Package stack says where the services are that Winnow stands on, and opens
// them: Temporal, NATS and S3.
//
// A file that a running winnow-devstack wrote goes in, or what flags, the
// environment and a file of the user's say of services outside; one config
// struct a service comes out.
package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
)

// Version is the version of the file this package reads.
const Version = 1

// FileName is the file that winnow-devstack keeps in its state folder while it answers.
const FileName = "devstack.json"

// Services are the services of one stack.
type Services struct {
	V          int            `json:"v"`
	PID        int            `json:"pid"`        // of winnow-devstack
	StartTime  string         `json:"start_time"` // of that process, in clock ticks since boot
	Version    string         `json:"version"`    // of winnow-devstack
	Temporal   Temporal       `json:"temporal"`
	TemporalUI string         `json:"temporal_ui"` // URL
	NATS       bus.Config     `json:"nats"`
	S3         s3store.Config `json:"s3"`

	LanguageURL string `json:"language_url,omitempty"` // of the server of remote language models; winnow-infer's flag and environment win
}

// ErrNotRunning is the error of a stack that never started, or has ended.
var ErrNotRunning = errors.New("no stack is running here: start it with `winnow up`")

// ReadState reads the file in a state folder.
func ReadState(dir string) (Services, error) {
	return Read(filepath.Join(dir, FileName))
}

// Read reads and validates the file. A file that is not there is
// ErrNotRunning; one that a killed stack left behind is not recognised here: see Alive.
func Read(file string) (Services, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Services{}, fmt.Errorf("%s: %w", file, ErrNotRunning)
	}
	if err != nil {
		return Services{}, err
	}
	var s Services
	if err := json.Unmarshal(text, &s); err != nil {
		return Services{}, fmt.Errorf("%s: %w", file, err)
	}
	if err := s.Validate(); err != nil {
		return Services{}, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// Validate names the first field that cannot be.
func (s Services) Validate() error {
	if s.V != Version {
		return fmt.Errorf("v is %d, and this program reads %d: start the stack again with this version of Winnow", s.V, Version)
	}
	for _, part := range []interface{ Validate() error }{s.Temporal, s.NATS, s.S3} {
		if err := part.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Place names the services, for people and to tell them from others. It holds no secret.
func (s Services) Place() string {
	return fmt.Sprintf("Temporal %s (namespace %s), NATS %s, S3 %s/%s",
		s.Temporal.Address, s.Temporal.Namespace, s.NATS.URL, s.S3.URL(), s.S3.Bucket)
}

// Alive says whether the process that wrote the file still runs. Pids are used
// again; a pid with its start time is not.
func (s Services) Alive() bool {
	started, err := StartTime(s.PID)
	return err == nil && started == s.StartTime
}

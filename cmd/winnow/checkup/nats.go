package checkup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/bus"
)

// What is looked for in a NATS server.
const (
	leastNATS    = "2.10"
	leastPayload = 256 << 10 // bytes; messages hold references
	leastStore   = 1 << 30   // bytes left for the account's streams
)

// NATS checks the server, the account's limits, streams and buckets.
func NATS(ctx context.Context, c bus.Config, o Options) []Finding {
	r := &report{service: "nats"}
	c.Name = "winnow doctor"
	server, err := bus.Examine(ctx, c, o.Fix)
	if err != nil {
		r.wrong("connection", err, "")
		return r.found
	}
	r.natsServer(server)
	absent := 0
	for _, h := range server.Holdings {
		if h.Absent {
			absent++
		}
		r.holding(h)
	}
	r.natsAccount(server.Account, absent)
	if o.Outside {
		r.workers(server.Workers)
	}
	return r.found
}

func (r *report) natsServer(s bus.Server) {
	how := "without TLS"
	if s.TLS {
		how = "TLS"
	}
	r.ok("connection", "%s, %s, JetStream on, answers in %v", s.URL, how, s.RTT.Round(10_000))
	if older(s.Version, leastNATS) {
		r.warn("version", "server "+s.Version, "Winnow is tested with 2.15, and wants "+leastNATS+" or newer: update the server")
	} else {
		r.ok("version", "server %s", s.Version)
	}
	if s.MaxPayload < leastPayload {
		r.wrong("max_payload", fmt.Errorf("%d bytes", s.MaxPayload), fmt.Sprintf("set max_payload to %d at least", leastPayload))
	}
}

func (r *report) holding(h bus.Holding) {
	switch {
	case h.Err != nil && errors.Is(h.Err, bus.ErrSettings):
		r.wrong(h.Name, h.Err, "")
	case h.Err != nil:
		r.wrong(h.Name, h.Err, "let this account create and read streams whose names begin with WINNOW_ and KV_WINNOW_")
	case h.Made:
		r.ok(h.Name, "made")
	case h.Absent:
		r.warn(h.Name, "not there yet", "the first worker or submit makes it, or `winnow doctor --fix` now")
	default:
		r.ok(h.Name, "as Winnow makes it")
	}
}

// natsAccount says what the account leaves no room for. -1 is without limit.
func (r *report) natsAccount(a *jetstream.AccountInfo, absent int) {
	limits := a.Limits
	var tight []string
	if limits.MaxStreams >= 0 && limits.MaxStreams-a.Streams < absent {
		tight = append(tight, fmt.Sprintf("max_streams %d leaves no room for %d streams", limits.MaxStreams, absent))
	}
	if limits.MaxStore >= 0 && limits.MaxStore-int64(a.Store) < leastStore {
		tight = append(tight, fmt.Sprintf("max_storage %d leaves less than 1 GiB", limits.MaxStore))
	}
	if limits.MaxMemory == 0 && absent > 0 {
		tight = append(tight, "max_memory 0 forbids the directory of workers")
	}
	if limits.MaxBytesRequired && absent > 0 {
		tight = append(tight, "max_bytes_required forbids streams without a size")
	}
	if tight != nil {
		r.warn("account limits", strings.Join(tight, "; "), "raise them for this account")
		return
	}
	r.ok("account limits", "%d streams, %d bytes stored, %s", a.Streams, a.Store, ceiling(limits.MaxStore))
}

func ceiling(bytes int64) string {
	if bytes < 0 {
		return "no limit"
	}
	return fmt.Sprintf("of %d", bytes)
}

// workers says who serves bundles, and that all are of one version.
func (r *report) workers(workers []bus.Worker) {
	bundles, versions := map[string]int{}, map[string]bool{}
	for _, w := range workers {
		bundles[fmt.Sprintf("%.12s", w.Bundle)]++
		versions[w.Version] = true
	}
	switch {
	case len(workers) == 0:
		r.warn("bundles", "no winnow-infer is here", "start `winnow-infer --bundle DIR`, or `winnow up`, before or after submitting")
	case len(versions) > 1:
		r.warn("bundles", fmt.Sprintf("winnow-infer of %d versions: %s", len(versions), strings.Join(slices.Sorted(maps.Keys(versions)), ", ")),
			"run one version: a request of another is refused")
	default:
		r.ok("bundles", "%d winnow-infer serve %s", len(workers), strings.Join(slices.Sorted(maps.Keys(bundles)), ", "))
	}
}

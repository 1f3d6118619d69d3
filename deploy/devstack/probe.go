package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// probe returns once every server has done real work, as a client sees it: Temporal has run a workflow, its UI has answered,
// JetStream has told about the account, and S3 has kept an object.
func probe(ctx context.Context, p ports, c secrets) error {
	group, ctx := errgroup.WithContext(ctx)
	for server, try := range map[string]func() error{
		"Temporal":      func() error { return probeTemporal(ctx, p.Temporal) },
		"Temporal's UI": func() error { return probeUI(ctx, p.TemporalUI) },
		"NATS":          func() error { return probeNATS(ctx, p.NATS, c.NATS) },
		"S3":            func() error { return probeS3(ctx, p.S3, c.S3) },
	} {
		group.Go(func() error {
			if err := until(ctx, try); err != nil {
				return fmt.Errorf("%s does not answer as it should: %w", server, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// until tries again, 20 ms later, what a server that is starting may refuse. When ctx ends it returns the last refusal.
func until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func probeUI(ctx context.Context, port int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(port)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	return nil
}

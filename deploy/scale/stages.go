package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/winnow-video/winnow/workflows/job"
)

// looked is a job that looks at so many frames of each video.
func looked(name string, frames int, keep float64) job.Spec {
	spec := job.NewSpec()
	spec.Name, spec.Frames.Count = name, frames
	setting := job.DefaultPruning()
	setting.Keep = keep
	spec.Prune = job.Prunings{setting}
	return spec
}

// onFleet runs one job on a fleet of its own.
func onFleet(ctx context.Context, p programs, c crew, spec job.Spec, items []job.Item) (r *workedRun, err error) {
	f, err := newFleet(ctx, p, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return f.work(ctx, spec, items)
}

// looped runs the same stages in a plain loop: deploy/scale/loop.
func looped(ctx context.Context, p programs, loop string, parallel int, spec job.Spec, items []job.Item) (*workedRun, error) {
	order, err := json.Marshal(map[string]any{
		"bundle": p.bundle, "decoder": p.path("winnow-decode"), "parallel": parallel, "spec": spec.WithDefaults(), "items": items,
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, loop)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(order), os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", loop, err)
	}
	var bill struct {
		WallS   float64      `json:"wall_s"`
		CPUS    float64      `json:"cpu_s"`
		Decode  float64      `json:"decoders_cpu_s"`
		Answers []job.Answer `json:"answers"`
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		return nil, fmt.Errorf("%s: %w", loop, err)
	}
	r := &workedRun{wall: seconds(bill.WallS), by: shares{winnow: seconds(bill.CPUS), decoders: seconds(bill.Decode)}}
	for _, a := range bill.Answers {
		r.answers = append(r.answers, a.Text)
	}
	return r, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

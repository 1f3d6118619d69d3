package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/winnow-video/winnow/deploy/chaos/audit"
	"github.com/winnow-video/winnow/deploy/chaos/cluster"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/wait"
)

// run is one job, in a bucket of its own: nothing that another job made is found.
type run struct {
	*stage
	name    string
	bucket  string
	id      string // the job's
	strikes []struck
	took    time.Duration

	log  []audit.Access // storage's, as far as it was read
	read int64          // bytes of it
}

// struck is a strike that was carried out.
type struck struct {
	scene string
	host  string
	held  int // encodes in flight when it came
}

// programs are Winnow's own that run all the time.
func programs() []string { return slices.Concat(cluster.CPU, cluster.Infer) }

// play runs the job to its end while it is struck, and stops Winnow then, so
// that nothing is written any more. The first strike at the client hits it as it submits.
func (r *run) play(ctx context.Context, strikes []strike) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.options.limit, fmt.Errorf("the job was not over after %v", r.options.limit))
	defer cancel()
	if err := r.cluster.UseBucket(ctx, r.bucket); err != nil {
		return err
	}
	if err := r.cluster.Start(ctx, programs()...); err != nil {
		return err
	}
	began := time.Now()
	if i := slices.IndexFunc(strikes, func(s strike) bool { return s.host == cluster.Client }); i >= 0 {
		if err := r.killSubmit(ctx, strikes[i]); err != nil {
			return err
		}
		strikes = slices.Delete(slices.Clone(strikes), i, i+1)
	}
	err := r.submit(ctx)
	if err == nil {
		err = r.watch(ctx, strikes)
	}
	r.took = time.Since(began)
	return errors.Join(err, r.stop())
}

// stop ends Winnow's programs, and says which children they left behind.
func (r *run) stop() error {
	errs := []error{r.cluster.Stop(programs()...)}
	for _, host := range cluster.CPU {
		pids, err := r.cluster.Children(host, "winnow-decode")
		if len(pids) > 0 {
			err = fmt.Errorf("%d winnow-decode outlived their parent on %s", len(pids), host)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// killSubmit kills a client in the middle of submitting.
func (r *run) killSubmit(ctx context.Context, s strike) error {
	file, err := r.jobFile(r.name)
	if err != nil {
		return err
	}
	if err := r.cluster.StartClient("submit", file); err != nil {
		return err
	}
	r.strikes = append(r.strikes, struck{scene: s.scene, host: s.host})
	return later(ctx, s.away, func() error {
		r.cluster.Kill(s.host)
		return nil
	})
}

// submit submits the job and learns its id, the last line that the client prints.
func (r *run) submit(ctx context.Context) error {
	file, err := r.jobFile(r.name)
	if err != nil {
		return err
	}
	if err := r.cluster.Winnow(ctx, "submit", file); err != nil {
		return err
	}
	log, err := os.ReadFile(r.cluster.LogPath(cluster.Client))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(log)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, r.name+"-") {
			r.id = line
		}
	}
	if r.id == "" {
		return errors.New("winnow submit printed no job's id")
	}
	return nil
}

// watch has a client watch the job to its end, and carries the strikes out meanwhile.
// A client that was killed is started again.
func (r *run) watch(ctx context.Context, strikes []strike) error {
	over := make(chan error, 1)
	go func() { over <- r.follow(ctx) }()
	for i, s := range strikes {
		reached, err := r.reach(ctx, s.at, over)
		if err != nil {
			return err
		}
		if !reached {
			return fmt.Errorf("the job was over before strike %d of %d: give it more --videos", i+1, len(strikes))
		}
		if err := r.strike(ctx, s); err != nil {
			return fmt.Errorf("strike %d: %w", i+1, err)
		}
	}
	return <-over
}

// follow watches until a client says that the job is over.
func (r *run) follow(ctx context.Context) error {
	for {
		if err := r.cluster.StartClient("watch", r.id); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.cluster.Ended(cluster.Client):
		}
		switch code := r.cluster.ExitCode(cluster.Client); code {
		case 0, 3: // done; with failed items, which the audit tells of
			return nil
		default:
			tell("%s: winnow watch ended with %d", r.name, code)
		}
		if wait.Sleep(ctx, time.Second) != nil {
			return context.Cause(ctx)
		}
	}
}

// reach waits until a share of the videos is encoded. It is false if the job is over before.
func (r *run) reach(ctx context.Context, share float64, over chan error) (bool, error) {
	want := int(share * float64(r.options.videos))
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case err := <-over:
			return false, err
		case <-time.After(500 * time.Millisecond):
		}
		e, err := r.encodes()
		if err != nil || e.Finished >= want {
			return true, err
		}
	}
}

// strike waits until something is in flight, notes how much, and strikes.
func (r *run) strike(ctx context.Context, s strike) error {
	scene, _ := sceneOf(s.scene)
	held, err := r.inFlight(ctx, scene, s)
	if err != nil {
		return err
	}
	if scene.find != nil {
		if s.host, err = scene.find(ctx, r); err != nil {
			return err
		}
	}
	r.strikes = append(r.strikes, struck{s.scene, s.host, held})
	tell("%s: strike at %.0f %%, %s at %s, %d encodes in flight", r.name, 100*s.at, s.scene, s.host, held)
	return scene.play(ctx, r, s)
}

// inFlight waits until encodes are, and says how many.
func (r *run) inFlight(ctx context.Context, scene scene, s strike) (int, error) {
	if !scene.queue {
		return r.queue.awaitHeld(ctx, 1)
	}
	if err := r.pileUp(ctx); err != nil {
		return 0, err
	}
	if _, err := r.queue.awaitHeld(ctx, piled); err != nil {
		return 0, err
	}
	if err := wait.Sleep(ctx, s.aim); err != nil {
		return 0, err
	}
	return r.queue.encodesHeld(ctx)
}

// Where requests pile up, winnow-infer stands still for so long, and is struck when
// so many encodes are in flight. On few cores decoding is slower than encoding, and
// hardly ever are two.
const (
	standstill = 15 * time.Second // well below the time after which the queue gives requests to others
	piled      = 4
)

func (r *run) pileUp(ctx context.Context) error {
	r.cluster.Freeze(cluster.Infer)
	defer r.cluster.Thaw(cluster.Infer)
	return wait.Sleep(ctx, standstill)
}

// encodes counts the job's encodes so far. Of storage's log it reads what is new.
func (r *run) encodes() (audit.Encodes, error) {
	file, err := os.Open(r.cluster.AccessLog())
	if err != nil {
		return audit.Encodes{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, r.read, math.MaxInt64-r.read))
	if err != nil {
		return audit.Encodes{}, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	r.read += int64(len(whole))
	log, err := audit.ReadAccessLog(bytes.NewReader(whole))
	r.log = append(r.log, log...)
	return audit.CountEncodes(r.log, r.bucket, r.cluster.Addrs(cluster.Infer)), err
}

// records are those that the finished job says are its results.
func (r *run) records(ctx context.Context) ([]job.Record, error) {
	store, err := s3store.Open(ctx, r.cluster.Storage())
	if err != nil {
		return nil, err
	}
	results, _, err := audit.RecordsOf(ctx, store, r.id)
	return results, err
}

// audit says what the job came to.
func (r *run) audit(ctx context.Context) outcome {
	o := outcome{scene: r.name, strikes: r.strikes, took: r.took}
	store, err := s3store.Open(ctx, r.cluster.Storage())
	if err != nil {
		o.violate(err.Error())
		return o
	}
	results, pages, err := audit.RecordsOf(ctx, store, r.id)
	if err != nil {
		o.violate(err.Error())
	}
	o.items = len(results)
	o.violate(audit.Records(r.oracle, results)...)
	o.violate(audit.Records(r.oracle, pages)...)
	if o.encodes, err = r.encodes(); err != nil {
		o.violate(err.Error())
	}
	o.judgeEncodes(r.options.videos)
	var torn []string
	if o.objects, torn, err = audit.Objects(ctx, store, "v1/", "jobs/"); err != nil {
		o.violate(err.Error())
	}
	o.violate(torn...)
	return o
}

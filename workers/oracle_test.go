package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// deviceTime is what every request is said to have taken.
const deviceTime = time.Second

// oracle answers inference requests over the real bus by rule instead of by
// model: tokens are made of the clip's pixels, every answer is B. The program
// that has a model is tested where it lives.
type oracle struct {
	bus    *bus.Bus
	store  artifact.Store
	self   bus.Worker
	mu     sync.Mutex
	asked  map[artifact.Key]int                     // requests seen, by what they ask for
	stages map[job.Stage]int                        // requests seen, by stage
	refuse func(r bus.Request) *job.Failure         // nil: nothing is refused
	hold   func(ctx context.Context, r bus.Request) // nil: nothing is held up
	spoil  func(tensor.Dense[tensor.Float16])       // nil: tokens are what they are
}

func newOracle(b *bus.Bus, store artifact.Store, bundle string) *oracle {
	return &oracle{
		bus: b, store: store, asked: map[artifact.Key]int{}, stages: map[job.Stage]int{},
		self: bus.Worker{
			V: bus.Version, Name: "oracle-" + bundle[:8], Bundle: bundle,
			Stages: []job.Stage{job.StageAnswer, job.StageEncode}, Capacity: 64, Version: "test",
		},
	}
}

// start serves until the test ends.
func (o *oracle) start(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := o.bus.Advertise(ctx, o.self); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	serving.Go(func() { o.serve(ctx, t) })
	t.Cleanup(func() { stop(); serving.Wait() })
}

func (o *oracle) serve(ctx context.Context, t testing.TB) {
	puller, err := o.bus.Pull(o.self)
	if err != nil {
		t.Error(err)
		return
	}
	var busy sync.WaitGroup
	for {
		leases, err := puller.Next(ctx, 64)
		if err != nil {
			break
		}
		for _, l := range leases {
			busy.Go(func() { o.end(ctx, t, l) })
		}
	}
	busy.Wait()
	if err := puller.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func (o *oracle) end(ctx context.Context, t testing.TB, l *bus.Lease) {
	if l.Solo && o.made(ctx, l.Request) { // only its end was not told
		o.finish(ctx, t, l, nil)
		return
	}
	o.note(l.Request)
	if o.hold != nil {
		o.hold(ctx, l.Request)
	}
	if ctx.Err() != nil {
		return // the puller gives it back
	}
	failure, err := o.make(ctx, l.Request)
	if err != nil && ctx.Err() == nil {
		t.Error(err)
	}
	if err == nil {
		o.finish(ctx, t, l, failure)
	}
}

// finish tells the end of a request. A queue that was killed may not hear of
// it: the request comes back then.
func (o *oracle) finish(ctx context.Context, t testing.TB, l *bus.Lease, failure *job.Failure) {
	l.Device = deviceTime
	err := l.Finish(ctx, failure)
	if errors.Is(err, bus.ErrUnavailable) {
		t.Log(err)
	} else if err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func (o *oracle) made(ctx context.Context, r bus.Request) bool {
	_, err := o.store.Stat(ctx, r.Out)
	return err == nil
}

func (o *oracle) note(r bus.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[r.Out]++
	o.stages[r.Stage()]++
}

// seen is the number of requests of a stage, and the most that any one object was asked for.
func (o *oracle) seen(stage job.Stage) (requests, most int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.asked {
		most = max(most, n)
	}
	return o.stages[stage], most
}

func (o *oracle) make(ctx context.Context, r bus.Request) (*job.Failure, error) {
	if o.refuse != nil {
		if f := o.refuse(r); f != nil {
			return f, nil
		}
	}
	var body []byte
	var err error
	if r.Encode != nil {
		body, err = o.encode(ctx, r.Encode.Clip)
	} else {
		body, err = o.answer(ctx, r.Answer)
	}
	if errors.Is(err, artifact.ErrNotFound) {
		return job.Fail(r.Stage(), job.InternalLost, "the input is gone"), nil
	}
	if err != nil {
		return nil, err
	}
	_, err = o.store.Put(ctx, r.Out, bytes.NewReader(body), artifact.FirstWins)
	return nil, err
}

// encode makes every token of its frame's first pixels.
func (o *oracle) encode(ctx context.Context, key artifact.Key) ([]byte, error) {
	body, err := o.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	clip, err := tensor.Decode(body)
	if err != nil {
		return nil, err
	}
	frames, err := tensor.Get[uint8](clip, "frames")
	if err != nil {
		return nil, err
	}
	out := &tensor.File{Metadata: maps.Clone(clip.Metadata), Tensors: map[string]tensor.Tensor{
		"index": clip.Tensors["index"], "pts_s": clip.Tensors["pts_s"],
	}}
	tokens := tensor.New[tensor.Float16](frames.Shape[0], testP, testD)
	for t := range frames.Shape[0] {
		for i := range testP * testD {
			tokens.Row(t)[i] = tensor.ToFloat16(float32(frames.Row(t)[i%len(frames.Row(t))]) + float32(i*i%7) - 3)
		}
	}
	if o.spoil != nil {
		o.spoil(tokens)
	}
	tensor.Put(out, "tokens", tokens)
	return tensor.Encode(out)
}

func (o *oracle) answer(ctx context.Context, r *bus.AnswerRequest) ([]byte, error) {
	page, err := o.store.Get(ctx, r.Page)
	if err != nil {
		return nil, err
	}
	items, err := job.ReadLines[job.Item](page)
	if err != nil {
		return nil, err
	}
	if _, err := o.store.Get(ctx, r.Kept); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(items[r.Line].Question, "What") {
		return nil, fmt.Errorf("line %d asks %q", r.Line, items[r.Line].Question)
	}
	index := 1
	return json.Marshal(job.Reply{
		V: job.Version, Answer: job.Answer{Text: "B", OptionIndex: &index, Letter: "B", Parse: job.ParseLetter},
		Tokens: job.Tokens{VisualTotal: testT * testP, VisualKept: testT, Prompt: 20, Completion: 1},
		FLOPs:  job.FLOPs{Convention: "real", Full: 100, Spent: 40}, Engine: "oracle",
	})
}

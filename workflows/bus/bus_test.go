package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }

// fast makes redelivery a matter of seconds. All tests share it: the durables'
// ack wait and the directory's TTL are settings of the server.
func fast(c bus.Config) bus.Config {
	c.AckWait, c.LookEvery, c.WorkerTTL = 4*time.Second, 500*time.Millisecond, 6*time.Second
	return c
}

func connect(t *testing.T) *bus.Bus {
	t.Helper()
	return connectTo(t, fast(stacktest.Start(t).NATS))
}

func connectTo(t *testing.T, c bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// raw is JetStream without Winnow.
func raw(t *testing.T) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	return stacktest.RawNATS(t, stacktest.Start(t).NATS)
}

// digestOf is a bundle that only this test asks for.
func digestOf(t *testing.T) string {
	sum := artifact.Key(t.Name()).Hash()
	return sum + sum
}

func encode(t *testing.T, name string) bus.Request {
	key := artifact.Key("v1/" + t.Name() + "/tokens/" + name)
	return bus.Request{V: bus.Version, Bundle: digestOf(t), Out: key, Encode: &bus.EncodeRequest{Clip: key + ".clip"}}
}

func answer(t *testing.T, name string) bus.Request {
	key := artifact.Key("v1/" + t.Name() + "/answer/" + name)
	return bus.Request{V: bus.Version, Bundle: digestOf(t), Out: key, Answer: &bus.AnswerRequest{Kept: key + ".kept"}}
}

func worker(t *testing.T, name string) bus.Worker {
	return bus.Worker{
		V: bus.Version, Name: name, Bundle: digestOf(t), Capacity: 4, Version: "test",
		Stages: []job.Stage{job.StageEncode, job.StageAnswer},
	}
}

// pull starts a worker that is ended by closing its Bus, as a crash would end it.
func pull(t *testing.T, name string) (*bus.Puller, *bus.Bus) {
	t.Helper()
	b := connect(t)
	p, err := b.Pull(worker(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return p, b
}

// outcome is how a waiter's call ended.
type outcome struct {
	bus.Made
	err error
}

func await(t *testing.T, b *bus.Bus, store artifact.Store, req bus.Request, priority int) <-chan outcome {
	t.Helper()
	ended := make(chan outcome, 1)
	ctx := t.Context()
	go func() {
		made, err := b.Await(ctx, store, req, priority, func() {})
		ended <- outcome{made, err}
	}()
	return ended
}

// next is the one lease the Puller hands out.
func next(t *testing.T, p *bus.Puller) *bus.Lease {
	t.Helper()
	leases, err := p.Next(t.Context(), 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("Next: %d leases, %v, want one", len(leases), err)
	}
	return leases[0]
}

func put(t *testing.T, store artifact.Store, key artifact.Key) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, strings.NewReader("made"), artifact.FirstWins); err != nil {
		t.Fatal(err)
	}
}

// make stores the object and ends the request.
func complete(t *testing.T, store artifact.Store, l *bus.Lease) {
	t.Helper()
	put(t, store, l.Request.Out)
	if err := l.Finish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// wantMade wants the object, and returns what its making took.
func wantMade(t *testing.T, ended <-chan outcome, key artifact.Key) time.Duration {
	t.Helper()
	got := <-ended
	if got.err != nil || got.Key != key {
		t.Errorf("Await: %v, %v, want %s made", got.Ref, got.err, key)
	}
	return got.Device
}

func wantFailure(t *testing.T, ended <-chan outcome, want job.Code) {
	t.Helper()
	got := <-ended
	var f *job.Failure
	if !errors.As(got.err, &f) || f.Code != want {
		t.Errorf("Await: %v, %v, want %s", got.Ref, got.err, want)
	}
}

func TestTwoWaitersShareOneRequest(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "shared")
	first := await(t, connect(t), store, req, 1)
	second := await(t, connect(t), store, req, 1)
	p, _ := pull(t, "w")
	leases, err := p.Next(t.Context(), 8)
	if err != nil || len(leases) != 1 {
		t.Fatalf("Next: %d requests, %v, want one for both waiters", len(leases), err)
	}
	leases[0].Device = 7 * time.Millisecond
	complete(t, store, leases[0])
	one, other := wantMade(t, first, req.Out), wantMade(t, second, req.Out)
	if one+other != 7*time.Millisecond || one*other != 0 {
		t.Errorf("the two were told of %v and %v on a device, want one of them of 7ms", one, other)
	}
}

func TestObjectThatIsThere(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "there")
	put(t, store, req.Out)
	wantMade(t, await(t, connect(t), store, req, 1), req.Out)
	if n := queued(t, req.Class(1)); n != 0 {
		t.Errorf("%d requests for an object that was there", n)
	}
}

func TestFailureIsTold(t *testing.T) {
	t.Parallel()
	req := encode(t, "failing")
	ended := await(t, connect(t), memstore.New(), req, 1)
	p, _ := pull(t, "w")
	if err := next(t, p).Finish(t.Context(), job.Fail(job.StageEncode, job.ModelNotFinite, "NaN")); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, ended, job.ModelNotFinite)
}

func TestCapacityIsWaitedOut(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "busy")
	ended := await(t, connect(t), store, req, 1)
	p, _ := pull(t, "w")
	vain := next(t, p)
	vain.Device = 2 * time.Millisecond
	if err := vain.Finish(t.Context(), job.Fail(job.StageEncode, job.CapacityDisk, "full")); err != nil {
		t.Fatal(err)
	}
	lease := next(t, p)
	lease.Device = 3 * time.Millisecond
	complete(t, store, lease)
	if device := wantMade(t, ended, req.Out); device != 5*time.Millisecond {
		t.Errorf("told of %v on a device, want the 5ms of both tries", device)
	}
}

func TestMemoryIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	ended := await(t, connect(t), memstore.New(), encode(t, "huge"), 1)
	p, _ := pull(t, "w")
	for range 3 {
		if err := next(t, p).Finish(t.Context(), job.Fail(job.StageEncode, job.CapacityMemory, "out of memory")); err != nil {
			t.Fatal(err)
		}
	}
	wantFailure(t, ended, job.CapacityMemory)
}

func TestLostDoneMessage(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "untold")
	ended := await(t, connect(t), store, req, 1)
	m := takeRaw(t, req.Class(1))
	put(t, store, req.Out)
	if err := m.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantMade(t, ended, req.Out)
}

func TestLostRequest(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "vanished")
	ended := await(t, connect(t), store, req, 1)
	if err := takeRaw(t, req.Class(1)).DoubleAck(t.Context()); err != nil { // off the queue, and nothing made
		t.Fatal(err)
	}
	p, _ := pull(t, "w")
	complete(t, store, next(t, p))
	wantMade(t, ended, req.Out)
}

func TestKilledWorker(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "killed")
	ended := await(t, connect(t), store, req, 1)
	first, crash := pull(t, "first")
	lost := next(t, first)
	if lost.Solo || lost.Published.IsZero() {
		t.Errorf("a first delivery is solo: %v; published at %v", lost.Solo, lost.Published)
	}
	second, _ := pull(t, "second")
	crash.Close()
	lease := next(t, second)
	if !lease.Solo {
		t.Error("what a dead worker held is not run alone")
	}
	if !lease.Published.Equal(lost.Published) {
		t.Errorf("published at %v, and delivered again as of %v", lost.Published, lease.Published)
	}
	complete(t, store, lease)
	wantMade(t, ended, req.Out)
}

// A request that ends every worker takes its batch-mates along once; then they
// run alone and it is found out.
func TestPoison(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	b := connect(t)
	bad, good := encode(t, "bad"), encode(t, "good")
	badEnded, goodEnded := await(t, b, store, bad, 1), await(t, b, store, good, 1)
	waitQueued(t, bad.Class(1), 2)
	starts, crashes := 0, 0
	for crashes < 3 {
		p, crash := pull(t, "w")
		for alive := true; alive; {
			leases, err := p.Next(t.Context(), 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, lease := range leases {
				if lease.Request.Out == bad.Out {
					starts++
					alive = false
				}
			}
			if !alive {
				crashes++
				crash.Close()
				continue
			}
			complete(t, store, leases[0])
		}
	}
	p, _ := pull(t, "last")
	ctx, cancel := context.WithCancel(t.Context())
	var last sync.WaitGroup
	last.Go(func() {
		for leases, err := p.Next(ctx, 1); err == nil; leases, err = p.Next(ctx, 1) {
			if leases[0].Request.Out == bad.Out {
				t.Error("a poisoned request was handed out again")
			}
			complete(t, store, leases[0])
		}
	})
	wantFailure(t, badEnded, job.ModelPoison)
	wantMade(t, goodEnded, good.Out)
	cancel()
	last.Wait()
	if starts != 3 {
		t.Errorf("the bad request was started %d times, want once in a batch and twice alone", starts)
	}
}

func TestReleaseIsNotACrash(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "released")
	ended := await(t, connect(t), store, req, 1)
	p, _ := pull(t, "w")
	for range 4 {
		if err := next(t, p).Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	complete(t, store, next(t, p))
	wantMade(t, ended, req.Out)
}

func TestSoloRunsAlone(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	b := connect(t)
	p, _ := pull(t, "w")
	again := encode(t, "again")
	ended := []<-chan outcome{await(t, b, store, again, 1)}
	if err := next(t, p).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	lease := next(t, p)
	fresh := encode(t, "fresh")
	ended = append(ended, await(t, b, store, fresh, 1))
	waitQueued(t, fresh.Class(1), 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if leases, err := p.Next(ctx, 4); err == nil {
		t.Errorf("beside a solo request came %v", leases[0].Request)
	}
	complete(t, store, lease)
	complete(t, store, next(t, p))
	wantMade(t, ended[0], again.Out)
	wantMade(t, ended[1], fresh.Out)
}

func TestHeldRequestStays(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	req := encode(t, "slow")
	ended := await(t, connect(t), store, req, 1)
	slow, _ := pull(t, "slow")
	lease := next(t, slow)
	other, _ := pull(t, "other")
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second) // more than two ack waits
	defer cancel()
	if _, err := other.Next(ctx, 1); err == nil {
		t.Error("a request that is being worked on came to another worker")
	}
	complete(t, store, lease)
	wantMade(t, ended, req.Out)
}

func TestOrder(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	b := connect(t)
	want := []artifact.Key{answer(t, "a2").Out, encode(t, "e0").Out, encode(t, "e1").Out, encode(t, "e2").Out}
	var ended []<-chan outcome
	for _, ask := range []struct {
		req      bus.Request
		priority int
	}{{encode(t, "e2"), 2}, {encode(t, "e1"), 1}, {encode(t, "e0"), 0}, {answer(t, "a2"), 2}} {
		ended = append(ended, await(t, b, store, ask.req, ask.priority))
		waitQueued(t, ask.req.Class(ask.priority), 1)
	}
	p, _ := pull(t, "w")
	for i, key := range want {
		lease := next(t, p)
		if lease.Request.Out != key {
			t.Errorf("request %d is %s, want %s", i, lease.Request.Out, key)
		}
		complete(t, store, lease)
	}
	for _, e := range ended {
		<-e
	}
}

// Of twelve requests eight are of the first priority, three of the second and one of
// the last, whether they are taken at once or one by one; what one lacks the others get.
func TestShares(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	c := fast(stacktest.Start(t).NATS)
	c.LookEvery = time.Minute // who looked just before an object was made would ask for it again, and be counted twice
	b := connectTo(t, c)
	const each = 14
	priorities := map[artifact.Key]int{}
	for i := range each {
		for priority := range 3 {
			req := encode(t, fmt.Sprint(priority, "-", i))
			priorities[req.Out] = priority
			await(t, b, store, req, priority)
		}
	}
	for priority := range 3 {
		waitQueued(t, encode(t, "").Class(priority), each)
	}
	p, _ := pull(t, "w")
	taken := map[int]int{}
	take := func(limit int) {
		leases, err := p.Next(t.Context(), limit)
		if err != nil || len(leases) != limit {
			t.Fatalf("Next(%d): %d leases, %v", limit, len(leases), err)
		}
		for _, lease := range leases {
			taken[priorities[lease.Request.Out]]++
			complete(t, store, lease)
		}
	}
	want := func(first, second, last int) {
		t.Helper()
		if diff := cmp.Diff(map[int]int{0: first, 1: second, 2: last}, taken); diff != "" {
			t.Errorf("taken, by priority (-want +got):\n%s", diff)
		}
	}
	take(12)
	want(8, 3, 1)
	for range 6 {
		take(1)
	}
	want(12, 5, 1)
	take(12) // of the first priority two are left
	want(14, 14, 2)
}

func TestNextTakesNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	b := connect(t)
	var ended []<-chan outcome
	for _, name := range []string{"1", "2", "3"} {
		ended = append(ended, await(t, b, store, encode(t, name), 1), await(t, b, store, answer(t, name), 1))
	}
	waitQueued(t, encode(t, "1").Class(1), 3)
	waitQueued(t, answer(t, "1").Class(1), 3)
	p, _ := pull(t, "w")
	leases, err := p.Next(t.Context(), 4)
	if err != nil || len(leases) != 4 || leases[3].Request.Encode == nil {
		t.Fatalf("Next(4): %d leases, %v, want three answers and one encode", len(leases), err)
	}
	for _, lease := range append(leases, next(t, p), next(t, p)) {
		complete(t, store, lease)
	}
	for _, e := range ended {
		<-e
	}
}

func TestNobodyServes(t *testing.T) {
	t.Parallel()
	c := fast(stacktest.Start(t).NATS)
	c.Patience = time.Second
	wantFailure(t, await(t, connectTo(t, c), memstore.New(), encode(t, "unserved"), 1), job.CapacityNoWorker)
}

func TestServedRequestOutlastsPatience(t *testing.T) {
	t.Parallel()
	c := fast(stacktest.Start(t).NATS)
	c.Patience = 2 * time.Second
	b := connectTo(t, c)
	stop := advertise(t, b, worker(t, "busy"))
	waitWorkers(t, b, digestOf(t), 1)
	store := memstore.New()
	req := encode(t, "queued")
	ended := await(t, b, store, req, 1)
	select {
	case got := <-ended:
		t.Errorf("Await gave up on a queue that is served: %v", got.err)
	case <-time.After(4 * time.Second):
	}
	p, _ := pull(t, "busy")
	complete(t, store, next(t, p))
	wantMade(t, ended, req.Out)
	stop()
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	conn, js := raw(t)
	pull(t, "w") // makes the streams
	for name, body := range map[string]string{"v2": `{"v":2,"bundle":"` + digestOf(t) + `"}`, "noise": "\x00", "nothing asked": `{"v":1}`} {
		req := encode(t, name)
		told, err := conn.SubscribeSync(bus.DoneSubject(req.Out))
		if err != nil {
			t.Fatal(err)
		}
		ended := await(t, connect(t), memstore.New(), req, 1) // makes the durable
		m := takeRaw(t, req.Class(1))
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), req.Class(1).Subject(req.Out), []byte(body)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, _ := pull(t, "w")
		ctx, cancel := context.WithCancel(t.Context())
		go p.Next(ctx, 1)
		wantFailure(t, ended, job.InternalVersion)
		cancel()
		if _, err := told.NextMsg(time.Minute); err != nil {
			t.Errorf("%s: no done message: %v", name, err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var beats atomic.Int32
	b := connect(t)
	req := encode(t, "canceled")
	ended := make(chan error, 1)
	go func() {
		_, err := b.Await(ctx, memstore.New(), req, 1, func() { beats.Add(1) })
		ended <- err
	}()
	waitQueued(t, req.Class(1), 1)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || beats.Load() == 0 {
		t.Errorf("Await: %v after %d beats, want context.Canceled after at least one", err, beats.Load())
	}
}

// queued is how many requests of a class are not yet acknowledged.
func queued(t *testing.T, class bus.Class) int {
	t.Helper()
	_, js := raw(t)
	return count(t, js, class)
}

func count(t *testing.T, js jetstream.JetStream, class bus.Class) int {
	t.Helper()
	stream, err := js.Stream(t.Context(), bus.InferStream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(class.Filter()))
	if err != nil {
		t.Fatal(err)
	}
	return len(info.State.Subjects)
}

func waitQueued(t *testing.T, class bus.Class, want int) {
	t.Helper()
	_, js := raw(t)
	for count(t, js, class) < want {
		time.Sleep(20 * time.Millisecond)
	}
}

// takeRaw takes a request as no worker of Winnow's would.
func takeRaw(t *testing.T, class bus.Class) jetstream.Msg {
	t.Helper()
	waitQueued(t, class, 1)
	_, js := raw(t)
	consumer, err := js.Consumer(t.Context(), bus.InferStream, class.Durable())
	if err != nil {
		t.Fatal(err)
	}
	m, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// away is a store that does not answer at first, as one being restarted.
type away struct {
	artifact.Store
	left atomic.Int32 // answers still missing
}

func (s *away) Stat(ctx context.Context, key artifact.Key) (artifact.Ref, error) {
	if s.left.Add(-1) >= 0 {
		return artifact.Ref{}, artifact.ErrUnavailable
	}
	return s.Store.Stat(ctx, key)
}

func TestStoreComesBack(t *testing.T) {
	t.Parallel()
	store := &away{Store: memstore.New()}
	store.left.Store(3)
	req := encode(t, "patient")
	ended := await(t, connect(t), store, req, 1)
	p, _ := pull(t, "w")
	complete(t, store, next(t, p))
	wantMade(t, ended, req.Out)
}

func TestStoreStaysAway(t *testing.T) {
	t.Parallel()
	c := fast(stacktest.Start(t).NATS)
	c.Patience = time.Second
	store := &away{Store: memstore.New()}
	store.left.Store(1 << 30)
	wantFailure(t, await(t, connectTo(t, c), store, encode(t, "hopeless"), 1), job.CapacityUnavailable)
}

package client

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// bytesSource is a Source in memory; fail, if set, is how reading it ends.
type bytesSource struct {
	content []byte
	fail    error
}

func (s bytesSource) Size() int64 { return int64(len(s.content)) }

func (s bytesSource) ReadRange(_ context.Context, p []byte, off int64) error {
	copy(p, s.content[off:])
	return s.fail
}

// misbehaving is a program that does not decode; see testdata.
func misbehaving(t *testing.T, name string) Decoder {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return Decoder{Path: path}
}

func request(limits job.Limits) wire.Request {
	return wire.Request{Sampling: wire.Sampling{Count: 1}, Limits: limits}
}

func TestRunEndsWithATypedFailure(t *testing.T) {
	t.Parallel()
	content := bytesSource{content: []byte("abcd")}
	for _, c := range []struct {
		program string
		limits  job.Limits
		code    job.Code
		want    string
	}{
		{"hang", job.Limits{Wall: 200 * time.Millisecond}, job.InputTimeout, "limits.wall, 200ms"},
		{"asking", job.Limits{Wall: 200 * time.Millisecond}, job.InputTimeout, "limits.wall"},
		{"hungry", job.Limits{Memory: 64 << 20}, job.InputMemory, "limits.memory"},
		{"starved", job.Limits{}, job.InputMemory, "out of memory"},
		{"crash", job.Limits{}, job.InputCrash, "segmentation"},
		{"garbage", job.Limits{}, job.InputCrash, "without a result"},
		{"babbling", job.Limits{}, job.InputCrash, "begins with"},
		{"cut", job.Limits{}, job.InputCrash, "unexpected EOF"},
		{"absent", job.Limits{}, job.InternalError, "start the decoder"},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			_, err := misbehaving(t, c.program).Run(t.Context(), request(c.limits), content)
			var failure *job.Failure
			if !errors.As(err, &failure) || failure.Code != c.code || !strings.Contains(failure.Detail, c.want) {
				t.Errorf("%v; want %s with %q", err, c.code, c.want)
			}
		})
	}
}

func TestRunRefusesBadRequests(t *testing.T) {
	t.Parallel()
	_, err := misbehaving(t, "hang").Run(t.Context(), wire.Request{}, bytesSource{content: []byte("a")})
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Code != job.ConfigInvalid {
		t.Errorf("%v, want config/invalid", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := misbehaving(t, "hang").Run(ctx, request(job.Limits{}), bytesSource{content: []byte("a")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestRunReturnsWhatTheSourceFailedWith(t *testing.T) {
	t.Parallel()
	away := errors.New("the origin is away")
	_, err := misbehaving(t, "asking").Run(t.Context(), request(job.Limits{}), bytesSource{[]byte("abcd"), away})
	if !errors.Is(err, away) {
		t.Errorf("%v, want %v", err, away)
	}
}

// Best effort, but here it is allowed.
func TestChildGivesWay(t *testing.T) {
	t.Parallel()
	c, err := start(misbehaving(t, "hang").Path, request(job.Limits{}).WithDefaults(), bytesSource{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.kill(); c.cmd.Wait(); c.ranges.Close() }()
	got, err := unix.SchedGetAttr(c.cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Policy != unix.SCHED_BATCH || got.Nice != niceness {
		t.Errorf("policy %d and niceness %d, want %d and %d", got.Policy, got.Nice, unix.SCHED_BATCH, niceness)
	}
}

// Nothing that the child started outlives it.
func TestRunEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	req := request(job.Limits{}).WithDefaults()
	req.V = wire.Version
	c, err := start(misbehaving(t, "hang").Path, req, bytesSource{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancelCause(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.tend(ctx, end, req, newCache(bytesSource{content: []byte("a")}))
	}()
	grandchild := firstOfGroup(t, c.cmd.Process.Pid)
	end(errors.New("enough"))
	<-ended
	for unix.Kill(grandchild, 0) == nil && !isZombie(grandchild) {
		time.Sleep(time.Millisecond)
	}
}

// firstOfGroup waits for another process in the group of leader, and is its pid.
func firstOfGroup(t *testing.T, leader int) int {
	t.Helper()
	for t.Context().Err() == nil {
		entries, err := filepath.Glob("/proc/[0-9]*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			pid, err := strconv.Atoi(strings.Split(entry, "/")[2])
			if group, _ := unix.Getpgid(pid); err == nil && pid != leader && group == leader {
				return pid
			}
		}
	}
	t.Fatal("the child started nothing")
	return 0
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

func TestReadyFile(t *testing.T) {
	t.Parallel()
	in := startIn(t, filepath.Join(t.TempDir(), "made", "if missing"))
	if in.V != 1 || in.PID != in.cmd.Process.Pid || in.Version == "" {
		t.Errorf("v %d, pid %d, version %q; the process is %d", in.V, in.PID, in.Version, in.cmd.Process.Pid)
	}
	if in.Temporal.Namespace != "winnow" || in.S3.Bucket != "winnow" || in.S3.Region != "us-east-1" || in.S3.Secure {
		t.Errorf("announced %+v", in.announcement)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", in.PID))
	if err != nil {
		t.Fatal(err)
	}
	_, afterName, _ := strings.Cut(string(stat), ") ") // the test binary's name has no bracket
	if want := strings.Fields(afterName)[19]; in.StartTime != want {
		t.Errorf("start_time %q, want %q", in.StartTime, want)
	}
	for _, name := range []string{readyFile, credentialsFile, databaseFile} {
		if info, err := os.Stat(filepath.Join(in.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", name, info.Mode(), err)
		}
	}
	if got := in.jetStream(t).Conn().MaxPayload(); got != 1<<20 {
		t.Errorf("NATS takes messages of %d bytes, want 1 MiB", got)
	}
	in.stop(t, syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(in.dir, readyFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ready file is still there after a clean stop: %v", err)
	}
}

func TestProbeLeavesNoTrace(t *testing.T) {
	t.Parallel()
	in := startIn(t, t.TempDir())
	c := in.temporalClient(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := until(ctx, func() error { // workflows are deleted in the background
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{})
		if err == nil && len(list.Executions) > 0 {
			err = fmt.Errorf("%d workflows are listed in a new stack", len(list.Executions))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for object := range in.s3Client(t).ListObjectsIter(ctx, in.S3.Bucket, listAll) {
		t.Errorf("object %q (%v) in a new stack", object.Key, object.Err)
	}
	in.stop(t, os.Interrupt)
}

func TestSecondInstanceIsRefused(t *testing.T) {
	t.Parallel()
	in := startIn(t, t.TempDir())
	refused(t, []string{"--state", in.dir}, "another winnow-devstack", "pid "+strconv.Itoa(in.PID), in.dir)
	if err := probe(t.Context(), in.ports(t), in.secrets()); err != nil {
		t.Errorf("the first instance afterwards: %v", err)
	}
	in.stop(t, syscall.SIGTERM)
}

func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := program(t, "--state", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := until(t.Context(), func() error { // it listens for signals before it makes this file
		_, err := os.Stat(filepath.Join(dir, "devstack.lock"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped while starting: %v, want exit code 0", err)
	}
	startIn(t, dir).stop(t, syscall.SIGTERM)
}

// TestOutlivesItsParent closes what a dying parent closes: the readers of both outputs, and its terminal.
func TestOutlivesItsParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := program(t, "--state", dir, "--log-level", "debug") // so that it has much to write
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(read.Close(), write.Close()); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, cmd, dir)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	in := &instance{announcement: readAnnouncement(t, dir)}
	if err := probe(t.Context(), in.ports(t), in.secrets()); err != nil {
		t.Errorf("without its parent: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped without its parent: %v, want exit code 0", err)
	}
}

// awaitReady waits for the ready file of a program whose output nobody reads.
func awaitReady(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	err := until(ctx, func() error {
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			return err
		}
		_, err := os.Stat(filepath.Join(dir, readyFile))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

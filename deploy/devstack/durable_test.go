package main

import (
	"bytes"
	"io"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go/jetstream"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// awaitWord waits for a signal and returns what it carries.
func awaitWord(ctx workflow.Context) (string, error) {
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return word, nil
}

// TestSurvivesKill kills the program with a workflow in flight, a message queued and an object stored, starts it again and finds
// all three.
func TestSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := startIn(t, dir)
	before := in.ports(t)
	run := beginWorkflow(t, in)
	queueMessage(t, in)
	storeObject(t, in)
	in.kill(t)

	in = startIn(t, dir)
	if after := in.ports(t); after != before {
		t.Errorf("ports %+v after the kill, want %+v as before", after, before)
	}
	finishWorkflow(t, in, run)
	takeMessage(t, in)
	loadObject(t, in)
	in.stop(t, syscall.SIGTERM)
}

const inFlight = "in-flight"

// beginWorkflow starts awaitWord and returns once a worker has begun it, so that it waits for its signal.
func beginWorkflow(t *testing.T, in *instance) client.WorkflowRun {
	t.Helper()
	c := in.temporalClient(t)
	startWorker(t, c)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: inFlight, TaskQueue: inFlight}, awaitWord)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.QueryWorkflow(t.Context(), inFlight, "", client.QueryTypeStackTrace); err != nil { // answered by a worker
		t.Fatal(err)
	}
	return run
}

func startWorker(t *testing.T, c client.Client) {
	t.Helper()
	w := worker.New(c, inFlight, worker.Options{})
	w.RegisterWorkflow(awaitWord)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
}

func finishWorkflow(t *testing.T, in *instance, begun client.WorkflowRun) {
	t.Helper()
	c := in.temporalClient(t)
	startWorker(t, c)
	if err := c.SignalWorkflow(t.Context(), inFlight, begun.GetRunID(), "word", "winnow"); err != nil {
		t.Fatal(err)
	}
	var word string
	if err := c.GetWorkflow(t.Context(), inFlight, begun.GetRunID()).Get(t.Context(), &word); err != nil || word != "winnow" {
		t.Errorf("the workflow ended with %q, %v", word, err)
	}
}

func queueMessage(t *testing.T, in *instance) {
	t.Helper()
	js := in.jetStream(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "Q", Subjects: []string{"q.>"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "q.one", []byte("request")); err != nil {
		t.Fatal(err)
	}
}

func takeMessage(t *testing.T, in *instance) {
	t.Helper()
	consumer, err := in.jetStream(t).CreateConsumer(t.Context(), "Q", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	message, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if string(message.Data()) != "request" {
		t.Errorf("message %q", message.Data())
	}
}

func storeObject(t *testing.T, in *instance) {
	t.Helper()
	data := []byte("tensor")
	_, err := in.s3Client(t).PutObject(t.Context(), in.S3.Bucket, "a/b", bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{UserMetadata: map[string]string{"sha256": "of it"}})
	if err != nil {
		t.Fatal(err)
	}
}

func loadObject(t *testing.T, in *instance) {
	t.Helper()
	object, err := in.s3Client(t).GetObject(t.Context(), in.S3.Bucket, "a/b", minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	data, err := io.ReadAll(object)
	if err != nil || string(data) != "tensor" {
		t.Errorf("object %q, %v", data, err)
	}
	info, err := object.Stat()
	if err != nil || info.UserMetadata["Sha256"] != "of it" {
		t.Errorf("metadata %v, %v", info.UserMetadata, err)
	}
}

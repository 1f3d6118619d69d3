// Package bus is JetStream as Winnow uses it: the queue of inference requests,
// their done messages, the directory of workers, and events. Every subject and
// message is in this file, every stream in streams.go.
//
// Requests and events go in; what comes out is the knowledge that an object
// lies in the store, or the failure that took its place. Tensors never travel
// here. Activities ask with Await; winnow-infer takes requests with a Puller.
package bus

import (
	"fmt"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Version is the version of every message; a worker never pulls another.
const Version = 1

// Streams and buckets.
const (
	InferStream   = "WINNOW_INFER"   // work queue: one message a subject
	EventStream   = "WINNOW_EVENTS"  // limits: what watchers replay
	WorkersBucket = "WINNOW_WORKERS" // key-value with TTL: who serves what
	CallersBucket = "WINNOW_CALLERS" // key-value with TTL: who asks
	PoisonBucket  = "WINNOW_POISON"  // key-value with TTL: solo starts that did not end
)

// Class is one durable of the queue: a stage of a bundle at a priority.
type Class struct {
	Stage    job.Stage // encode or answer
	Bundle   string    // 12 hex digits of the bundle's digest
	Priority int       // 0 first, 2 last
}

// Subject is where requests for key of this class are published.
func (c Class) Subject(key artifact.Key) string {
	return fmt.Sprintf("winnow.infer.v%d.%s.%s.p%d.%s", Version, c.Stage, c.Bundle, c.Priority, key.Hash())
}

// requestsOf matches every request for a bundle, of all stages and priorities.
func requestsOf(bundle string) string {
	return fmt.Sprintf("winnow.infer.v%d.*.%s.>", Version, short(bundle))
}

// allRequests is what the queue holds.
func allRequests() string { return fmt.Sprintf("winnow.infer.v%d.>", Version) }

// allEvents is what the event stream holds.
func allEvents() string { return fmt.Sprintf("winnow.events.v%d.>", Version) }

// short is a bundle's digest as subjects and keys hold it.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// Filter matches every request of the class.
func (c Class) Filter() string {
	return fmt.Sprintf("winnow.infer.v%d.%s.%s.p%d.*", Version, c.Stage, c.Bundle, c.Priority)
}

// Durable names the class's consumer, made by the publisher.
func (c Class) Durable() string {
	return fmt.Sprintf("v%d-%s-%s-p%d", Version, c.Stage, c.Bundle, c.Priority)
}

// DoneSubject is where the end of the request for key is told.
func DoneSubject(key artifact.Key) string {
	return fmt.Sprintf("winnow.done.v%d.%s", Version, key.Hash())
}

// EventSubject is where an event of a job is published.
func EventSubject(id job.ID, kind job.EventKind) string {
	return fmt.Sprintf("winnow.events.v%d.%s.%s", Version, id.Subject(), kind)
}

// JobEvents matches every event of a job.
func JobEvents(id job.ID) string {
	return fmt.Sprintf("winnow.events.v%d.%s.>", Version, id.Subject())
}

// Request asks that the object Out be made. Exactly one of Encode and Answer is set.
type Request struct {
	V      int            `json:"v"`
	Bundle string         `json:"bundle"` // full digest, hex
	Out    artifact.Key   `json:"out"`
	Encode *EncodeRequest `json:"encode,omitempty"`
	Answer *AnswerRequest `json:"answer,omitempty"`
}

// Stage is the stage that ends the request; empty where none is asked for.
func (r Request) Stage() job.Stage {
	switch {
	case r.Encode != nil:
		return job.StageEncode
	case r.Answer != nil:
		return job.StageAnswer
	}
	return ""
}

// inputs are the artifacts that the request is made of.
func (r Request) inputs() []artifact.Key {
	switch {
	case r.Encode != nil:
		return []artifact.Key{r.Encode.Clip}
	case r.Answer != nil && r.Answer.Clip != "":
		return []artifact.Key{r.Answer.Kept, r.Answer.Clip}
	case r.Answer != nil:
		return []artifact.Key{r.Answer.Kept}
	}
	return nil
}

// Class is the class the request is queued in.
func (r Request) Class(priority int) Class {
	return Class{Stage: r.Stage(), Bundle: short(r.Bundle), Priority: priority}
}

// EncodeRequest asks for the tokens [T,P,D] f16 of a clip [T,H,W,3] u8.
type EncodeRequest struct {
	Clip     artifact.Key `json:"clip"`
	Provider string       `json:"provider,omitempty"` // that the tokens' key names; empty: any
}

// AnswerRequest asks for the reply to one item from its kept tokens [M,D].
type AnswerRequest struct {
	Kept     artifact.Key   `json:"kept"`
	Clip     artifact.Key   `json:"clip,omitempty"` // for a model that is shown its frames
	Page     artifact.Key   `json:"page"`           // the item is line Line of this page
	Line     int            `json:"line"`           // 0-based
	Generate job.Generation `json:"generate"`
	Fit      job.Fit        `json:"fit"`
}

// Done tells that a request ended: the object lies under Out, or Failure says why not.
type Done struct {
	V        int          `json:"v"`
	Out      artifact.Key `json:"out"`
	Worker   string       `json:"worker"`
	DeviceUS int64        `json:"device_us,omitempty"` // microseconds that the worker's device ran for it
	Failure  *job.Failure `json:"failure,omitempty"`
}

// Worker is one entry of the directory.
type Worker struct {
	V        int         `json:"v"`
	Name     string      `json:"name"`
	Bundle   string      `json:"bundle"` // full digest
	Stages   []job.Stage `json:"stages"`
	Capacity int         `json:"capacity"` // requests it runs at once
	Version  string      `json:"version"`
}

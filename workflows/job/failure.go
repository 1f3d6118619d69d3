package job

import (
	"errors"
	"fmt"
	"strings"
)

// Stage is a station of the pipeline; failures, events and timings name it.
type Stage string

// The stages, in the order an item passes them.
const (
	StageFetch  Stage = "fetch"
	StageDecode Stage = "decode"
	StageEncode Stage = "encode"
	StagePrune  Stage = "prune"
	StageAnswer Stage = "answer"
	StageRecord Stage = "record"
)

// Kind says whose fault a failure is, and so who can mend it.
type Kind string

// The kinds. Users select them in `winnow retry --kind`.
const (
	KindInput    Kind = "input"    // this video or this line: mend the input
	KindConfig   Kind = "config"   // the job or the bundle: mend the job
	KindCapacity Kind = "capacity" // too little of something: wait or add more
	KindModel    Kind = "model"    // the model or its runtime failed on this item
	KindBudget   Kind = "budget"   // the job's budget was spent
	KindCanceled Kind = "canceled" // the job was canceled before this item ended
	KindInternal Kind = "internal" // a fault of Winnow
)

// Kinds lists every kind, in the order documentation shows them.
func Kinds() []Kind {
	return []Kind{KindInput, KindConfig, KindCapacity, KindModel, KindBudget, KindCanceled, KindInternal}
}

// Code names a failure, as "kind/what": "input/timeout".
type Code string

// All failure codes.
const (
	InputMissing     Code = "input/missing"     // no such file, object or URL
	InputForbidden   Code = "input/forbidden"   // it exists and may not be read
	InputUnreachable Code = "input/unreachable" // its origin does not answer
	InputEmpty       Code = "input/empty"       // zero bytes
	InputNotVideo    Code = "input/not_video"   // not a known container: text, an archive, noise
	InputNoVideo     Code = "input/no_video"    // a container without a video stream
	InputNoFrames    Code = "input/no_frames"   // a video stream without one decodable frame, or none in start..end
	InputTruncated   Code = "input/truncated"   // it ends before its last frame
	InputCorrupt     Code = "input/corrupt"     // damaged pictures, more than limits allow
	InputUnsupported Code = "input/unsupported" // a codec or pixel format this build cannot read
	InputTooLarge    Code = "input/too_large"   // over a limit on pixels, duration or bytes
	InputTimeout     Code = "input/timeout"     // decoding overran its wall-clock limit
	InputMemory      Code = "input/memory"      // decoding overran its memory limit
	InputCrash       Code = "input/crash"       // the decoder process died on it
	InputChanged     Code = "input/changed"     // the object changed while the job read it

	ConfigInvalid Code = "config/invalid" // the job file contradicts itself or the bundle
	ConfigBundle  Code = "config/bundle"  // the bundle is missing, damaged or of another digest
	ConfigContext Code = "config/context" // prompt and visual tokens do not fit the model's context

	CapacityNoWorker    Code = "capacity/no_worker"   // no worker serves the bundle
	CapacityMemory      Code = "capacity/memory"      // the device had too little memory
	CapacityDisk        Code = "capacity/disk"        // a disk is full
	CapacityKilled      Code = "capacity/killed"      // a person or the kernel, short of memory, killed the decoder
	CapacityUnavailable Code = "capacity/unavailable" // storage, queue or language server did not answer in time

	ModelPoison    Code = "model/poison"     // the request ended two workers that ran it alone
	ModelError     Code = "model/error"      // the runtime or the language server refused the request
	ModelNotFinite Code = "model/not_finite" // NaN or infinity came out
	ModelContract  Code = "model/contract"   // shapes or row counts differ from the plan

	BudgetSpent Code = "budget/spent"

	CanceledJob Code = "canceled/job"

	InternalError   Code = "internal/error"   // a bug: please report it
	InternalLost    Code = "internal/lost"    // no outcome was recorded for the item
	InternalVersion Code = "internal/version" // a structure of an unknown version
)

// Kind is the part before the slash.
func (c Code) Kind() Kind {
	kind, _, _ := strings.Cut(string(c), "/")
	return Kind(kind)
}

// Retryable says whether trying again without changing anything can help.
func (c Code) Retryable() bool {
	switch c {
	case InputUnreachable, InternalError, InternalLost:
		return true
	}
	return c.Kind() == KindCapacity
}

// Values of Record.Degraded: the item has an answer, with less behind it than was asked.
const (
	DegradedPartialFrames = "partial_frames" // damaged frames were left out (allow_partial)
	DegradedTrimmed       = "trimmed"        // visual tokens were dropped to fit the context (fit: trim)
	DegradedLetters       = "letters"        // some option's log-probability is unknown
	DegradedUnparsed      = "unparsed"       // the text is no option; answer.parse is "unparsed"
)

// Failure is the typed end of an item, a request or a stage. It is an error.
type Failure struct {
	Stage     Stage  `json:"stage"`
	Kind      Kind   `json:"kind"`
	Code      Code   `json:"code"`
	Detail    string `json:"detail"`
	Retryable bool   `json:"retryable"`
}

// Fail makes the failure that code names; format and args say what was wrong, where, and what to do.
func Fail(stage Stage, code Code, format string, args ...any) *Failure {
	return &Failure{
		Stage: stage, Kind: code.Kind(), Code: code,
		Detail: fmt.Sprintf(format, args...), Retryable: code.Retryable(),
	}
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s: %s", f.Stage, f.Code, f.Detail)
}

// AsFailure returns the Failure in err's chain, or wraps err as internal/error of stage.
func AsFailure(stage Stage, err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return Fail(stage, InternalError, "%v", err)
}

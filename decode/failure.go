package decode

import (
	"errors"
	"syscall"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/workflows/job"
)

func fail(code job.Code, format string, args ...any) *job.Failure {
	return job.Fail(job.StageDecode, code, format, args...)
}

// errNoMemory is AVERROR(ENOMEM): the process is at its limit.
const errNoMemory = astiav.Error(-int(syscall.ENOMEM))

// avFailure is FFmpeg's err as a failure: out of memory, or what code says of
// the operation that failed.
func avFailure(err error, code job.Code, doing string) *job.Failure {
	if errors.Is(err, errNoMemory) {
		code = job.InputMemory
	}
	return fail(code, "%s: %v", doing, err)
}

// readFailure is err, of reading and decoding packets, as a failure if it is FFmpeg's own.
func readFailure(err error) error {
	var av astiav.Error
	if !errors.As(err, &av) {
		return err
	}
	return avFailure(err, job.InputCorrupt, "read its packets")
}

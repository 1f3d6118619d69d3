// Package wire is the contract between winnow and winnow-decode, its child
// process: what goes in is a Request on standard input, and byte ranges of the
// video over a socket; what comes out is a clip, or a typed failure, on standard
// output.
//
//	stdin    one Request, JSON, to the end of the stream
//	fd 3     a stream socket: the child asks for ranges of the source, the parent answers (ranges.go)
//	fd 4     the source itself, open for reading, where Request.Local says so: then nothing is asked (opened.go)
//	stdout   one result: a clip with its trailer, or a trailer alone (result.go)
//	stderr   free text, shown when the child dies without a result
//
// Package decode is the child's side, decode/client the parent's. Both are
// built on this package, which needs no C.
package wire

// Version is the version of everything here; a reader refuses any other.
const Version = 1

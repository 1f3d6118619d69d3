package main

import (
	"fmt"
	"os"

	"github.com/winnow-video/winnow/decode"
)

const usage = `winnow-decode takes frames from one video. winnow starts it, one process a clip,
so that a video can crash or exhaust nothing but that process.

To see it at work:  winnow frames VIDEO

  stdin    a request, JSON: which frames, what size, which limits
  fd 3     a socket, on which it asks for byte ranges of the video
  fd 4     the video itself, where it is a local file: then it asks for nothing
  stdout   the clip (safetensors: frames U8 [T,H,W,3], index I64 [T], pts_s F64 [T]),
           then a trailer; or a failure, typed

  -h, --help   this text
  --version    the build, on which the pixels of a clip depend

It opens no file and no network connection.
`

// explain answers a command line, which has nothing but questions. It returns the exit code.
func explain(args []string) int {
	switch {
	case len(args) == 1 && args[0] == "--version":
		fmt.Println(decode.Build())
		return 0
	case len(args) == 1 && (args[0] == "-h" || args[0] == "--help"):
		fmt.Print(usage)
		return 0
	case len(args) == 0:
		fmt.Fprint(os.Stderr, "winnow-decode: fd 3 is no socket: it is started by winnow, not by hand\n\n")
	default:
		fmt.Fprintf(os.Stderr, "winnow-decode: unknown arguments %q\n\n", args)
	}
	fmt.Fprint(os.Stderr, usage)
	return 2
}

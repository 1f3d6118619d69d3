// Command winnow-decode makes one clip of a video and exits. Programs of Winnow
// start it; package decode/wire has its protocol.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/winnow-video/winnow/decode"
)

func main() {
	if len(os.Args) > 1 {
		os.Exit(explain(os.Args[1:]))
	}
	ranges := os.NewFile(3, "ranges")
	if info, err := ranges.Stat(); err != nil || info.Mode()&os.ModeSocket == 0 {
		os.Exit(explain(nil))
	}
	file := os.NewFile(4, "source") // not always there: the request tells
	if err := decode.Serve(context.Background(), os.Stdin, ranges, file, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "winnow-decode:", err)
		os.Exit(1)
	}
}

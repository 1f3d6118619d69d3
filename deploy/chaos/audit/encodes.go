package audit

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Encodes is what became of a bucket's clips.
type Encodes struct {
	Finished int      // clips whose tokens are stored
	Begun    int      // clips read by a winnow-infer, each time: it reads one only to encode it
	Repeated int      // Begun beyond the first of each clip
	Again    []string // clips that were read although their tokens had been stored
}

// CountEncodes reads a bucket's encodes off storage's log. infer are the addresses of
// winnow-infer. One with a cache asks for the digest, and then for the content unless it has that.
func CountEncodes(log []Access, bucket string, infer []string) Encodes {
	stored := map[string]bool{} // by video
	reads := map[string]map[string][2]int{}
	var e Encodes
	for _, a := range log {
		video, kind, derived := artifact.Key(a.Key).Derived()
		if a.Bucket != bucket || a.Status >= 300 || !derived || artifact.Key(a.Key) == artifact.Mark(video, kind) {
			continue
		}
		switch {
		case kind == artifact.KindTokens && a.Method == http.MethodPut:
			stored[video] = true
		case kind == artifact.KindClip && a.Method != http.MethodPut && slices.Contains(infer, a.Addr):
			if stored[video] {
				e.Again = append(e.Again, fmt.Sprintf("%s by %s", a.Key, a.Addr))
			}
			note(reads, video, a)
		}
	}
	e.Finished = len(stored)
	for _, by := range reads {
		begun := 0
		for _, n := range by {
			begun += max(n[0], n[1])
		}
		e.Begun += begun
		e.Repeated += begun - 1
	}
	return e
}

// note counts heads and gets of a video's clip, by who asked.
func note(reads map[string]map[string][2]int, video string, a Access) {
	if reads[video] == nil {
		reads[video] = map[string][2]int{}
	}
	n := reads[video][a.Addr]
	if a.Method == http.MethodHead {
		n[0]++
	} else {
		n[1]++
	}
	reads[video][a.Addr] = n
}

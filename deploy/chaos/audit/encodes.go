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
	Begun    int      // clips read by a winnow-infer, each time
	Repeated int      // Begun beyond the first of each clip
	Again    []string // tokens that were made of a clip read after they had been stored
}

// CountEncodes reads a bucket's encodes off storage's log. infer are the addresses of
// winnow-infer. One with a cache asks for the digest, and then for the content unless it has
// that. It reads a clip only to encode it, and tries to store the tokens unless it
// is killed, or finds before it runs the graph that somebody has made them meanwhile.
func CountEncodes(log []Access, bucket string, infer []string) Encodes {
	stored, late := map[string]bool{}, map[[2]string]bool{} // by video; by video and who read it since
	reads := map[string]map[string][2]int{}
	var e Encodes
	for _, a := range log {
		video, kind, derived := artifact.Key(a.Key).Derived()
		if a.Bucket != bucket || !derived || artifact.Key(a.Key) == artifact.Mark(video, kind) || !slices.Contains(infer, a.Addr) {
			continue
		}
		done, by := a.Status < 300, [2]string{video, a.Addr}
		switch {
		case kind == artifact.KindTokens && a.Method == http.MethodPut && late[by]:
			e.Again = append(e.Again, fmt.Sprintf("%s by %s", a.Key, a.Addr))
		case kind == artifact.KindTokens && a.Method == http.MethodPut:
			if done {
				stored[video] = true
			}
		case kind == artifact.KindClip && a.Method != http.MethodPut && done:
			late[by] = stored[video]
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

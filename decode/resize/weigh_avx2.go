//go:build cgo && amd64

package resize

// #cgo CFLAGS: -O3
// #include "weigh_avx2.h"
import "C"

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// weigher applies taps to images of one size. What it is laid out for the first
// time is what it is for.
type weigher struct {
	across, down laid
	narrow, out  []byte // after the columns, and the rows too
}

// weigh applies the taps to src: of columns, then of rows. Its result is valid until the next call.
func (w *weigher) weigh(src Image, columns, rows []taps) Image {
	if !cpu.X86.HasAVX2 {
		return weighInGo(src, columns, rows)
	}
	first, last := rows[0].first, rows[len(rows)-1].end()
	if w.out == nil {
		w.across, w.down = lay(columns, 0, src.W), lay(rows, first, last)
		w.narrow = make([]byte, 3*len(columns)*(last-first+1)+overrun)
		w.out = make([]byte, 3*len(columns)*len(rows)+overrun)
	}
	C.winnow_across(cBytes(src.Pix), C.long(src.W*src.H), C.int(src.W), C.int(first), C.int(last-first),
		C.int(len(columns)), w.across.span, &w.across.first[0], &w.across.weights[0], cBytes(w.narrow))
	C.winnow_down(cBytes(w.narrow), C.int(len(columns)),
		C.int(len(rows)), w.down.span, &w.down.first[0], &w.down.weights[0], cBytes(w.out))
	return Image{W: len(columns), H: len(rows), Pix: w.out[:3*len(columns)*len(rows)]}
}

const overrun = 8 // bytes that vectors read and write past the last

func cBytes(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

// laid is taps as the kernels take them.
type laid struct {
	span           C.int
	first, weights []C.int32_t
}

// lay lays out taps on source pixels from..to-1, counted from the first of
// them. None lies past the last but for one of weight 0 where that makes span even.
func lay(all []taps, from, to int) laid {
	span := 0
	for _, t := range all {
		span = max(span, len(t.weights))
	}
	span += span % 2
	l := laid{C.int(span), make([]C.int32_t, len(all)), make([]C.int32_t, span*len(all))}
	for x, t := range all {
		before := min(max(0, t.first+span-to), t.first-from)
		l.first[x] = C.int32_t(t.first - from - before)
		for i, k := range t.weights {
			l.weights[x*span+before+i] = C.int32_t(k)
		}
	}
	return l
}

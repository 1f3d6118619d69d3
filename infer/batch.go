package infer

import (
	"bytes"
	"cmp"
	"slices"
)

// extent is the size of a batch, padding included.
type extent struct {
	layout layout
	n      int // B
	head   int // S: columns of prefixes, which lie there already
	tail   int // L: columns that the first step reads
	more   int // columns that later steps add
}

// width is how many columns the cache has in the end.
func (e extent) width() int { return e.head + e.tail + e.more }

// past is the columns of the larger cache that a step reads, beside the one it writes.
func (e extent) past() int {
	if e.more > 0 {
		return e.width() // the two take turns
	}
	return e.head
}

// bytes is what keys and values take: of what a step reads and of what it writes.
func (e extent) bytes() int64 { return e.layout.bytes(e.n * (e.past() + e.width())) }

// extent is the size that a batch of prompts takes.
func (d *Decoder) extent(batch ...*reading) extent {
	e := extent{layout: d.layout, n: len(batch)}
	for _, r := range batch {
		e.head = max(e.head, r.prefix)
		e.tail = max(e.tail, r.Len()-r.prefix)
		e.more = max(e.more, r.Most()-1) // the last token said is not read any more
	}
	return e
}

// stepRows is how many rows of a prompt are read in the time of one step behind
// it, about: 15 to 20 on CPUs (infer/bench), more on a GPU.
const stepRows = 16

// split sorts prompts and cuts them into batches within the limits, of which
// keys and values may take half: the other half is for prefixes. What is larger
// than that runs alone. Prompts with and without a prefix do not mix, nor those
// of lengths so different that padding takes longer than shared steps save.
func (d *Decoder) split(all []*reading) [][]*reading {
	slices.SortStableFunc(all, order)
	var batches [][]*reading
	for len(all) > 0 {
		n := 1
		for n < len(all) && (all[n].prefix > 0) == (all[0].prefix > 0) && d.allows(all[:n+1]) && d.pays(all[:n], all[n]) {
			n++
		}
		batches, all = append(batches, all[:n]), all[n:]
	}
	return batches
}

// order puts prompts of like extent side by side, and those of one prefix: it
// need not be kept for long then.
func order(x, y *reading) int {
	byPrefix := cmp.Compare(x.prefix, y.prefix)
	if byPrefix == 0 && x.prefix > 0 {
		byPrefix = bytes.Compare(x.key[:], y.key[:])
	}
	return cmp.Or(byPrefix, cmp.Compare(x.Len()+x.Most(), y.Len()+y.Most()))
}

func (d *Decoder) allows(batch []*reading) bool {
	e := d.extent(batch...)
	return e.n*e.tail <= d.limits.Rows && e.bytes() <= d.limits.KV/2
}

// pays says whether a batch is read and answered sooner with one more prompt in
// it than before that: they share steps, but all are padded to the longest.
func (d *Decoder) pays(batch []*reading, one *reading) bool {
	e, alone := d.extent(batch...), d.extent(one)
	tail := max(e.tail, alone.tail)
	padding := e.n*(tail-e.tail) + tail - alone.tail
	return padding <= stepRows*(1+min(e.more, alone.more))
}

package infer

import (
	"container/list"
	"crypto/sha256"

	"github.com/winnow-video/winnow/infer/tensor"
)

// prefixes are keys and values of prompts' beginnings, by the digest of the rows
// that they were read from: it is the content that is shared, whoever asks.
type prefixes struct {
	held  int64 // bytes
	byKey map[[sha256.Size]byte]*list.Element
	used  *list.List // of *prefix, the longest unused first
}

type prefix struct {
	key   [sha256.Size]byte
	cache []float32
}

func (p *prefix) bytes() int64 { return 4 * int64(len(p.cache)) }

func newPrefixes() prefixes {
	return prefixes{byKey: map[[sha256.Size]byte]*list.Element{}, used: list.New()}
}

// get is the cache of a prefix, if it is held.
func (p *prefixes) get(key [sha256.Size]byte) ([]float32, bool) {
	e, has := p.byKey[key]
	if !has {
		return nil, false
	}
	p.used.MoveToBack(e)
	return e.Value.(*prefix).cache, true
}

// has says whether a prefix is held.
func (p *prefixes) has(key [sha256.Size]byte) bool { return p.byKey[key] != nil }

// put holds a prefix that is not held yet.
func (p *prefixes) put(key [sha256.Size]byte, cache []float32) {
	one := &prefix{key, cache}
	p.byKey[key] = p.used.PushBack(one)
	p.held += one.bytes()
}

// shrink drops what was not used for longest until no more than limit bytes are held.
func (p *prefixes) shrink(limit int64) {
	for p.held > limit && p.used.Len() > 0 {
		one := p.used.Remove(p.used.Front()).(*prefix)
		delete(p.byKey, one.key)
		p.held -= one.bytes()
	}
}

// reading is a prompt and how it is read: whole, or behind a prefix that is read apart.
type reading struct {
	*Prompt
	at     int               // among the prompts of the call
	key    [sha256.Size]byte // of the rows of Prefix, where they are shared
	prefix int               // rows read apart; 0: none
	keep   int               // rows whose keys and values are kept for others once all is read; 0: none
}

// reading is p read whole, or as one whose prefix is shared. It is not where
// that would take up the memory that others are to have.
func (d *Decoder) reading(p *Prompt, at int) *reading {
	r := &reading{Prompt: p, at: at, prefix: p.Prefix}
	if p.Prefix == 0 || d.layout.bytes(p.Prefix) > d.limits.KV/2 || d.extent(r).bytes() > d.limits.KV/2 {
		r.prefix = 0
		return r
	}
	r.key = r.sum()
	return r
}

// share has those read whole that begin as no other does, of this call or before:
// they cost no more than without a prefix, and leave it to the next.
func (d *Decoder) share(all []*reading) {
	alike := map[[sha256.Size]byte]int{}
	for _, r := range all {
		alike[r.key]++
	}
	for _, r := range all {
		if r.prefix > 0 && alike[r.key] == 1 && !d.prefixes.has(r.key) {
			r.keep, r.prefix = r.prefix, 0
		}
	}
}

// sum is the digest of the rows of r's Prefix.
func (r *reading) sum() [sha256.Size]byte {
	var f tensor.File
	tensor.Put(&f, "rows", r.beginning().Embeds)
	return sha256.Sum256(f.Tensors["rows"].Bytes)
}

// beginning is the rows of r's Prefix as a prompt of its own, to which nothing is said.
func (r *reading) beginning() *Prompt {
	width := r.Embeds.Shape[1]
	return &Prompt{Embeds: tensor.Dense[float32]{Shape: tensor.Shape{r.Prefix, width}, Data: r.Embeds.Data[:r.Prefix*width]}}
}

// recall is the cache of r's prefix. It is read now if it is not held.
func (d *Decoder) recall(r *reading) ([]float32, error) {
	if cache, has := d.prefixes.get(r.key); has {
		return cache, nil
	}
	cache := d.vacate(r.prefix)
	alone := &reading{Prompt: r.beginning()}
	logits, err := d.lay([]*reading{alone}, d.extent(alone), nil, cache).run()
	if err != nil {
		return nil, err
	}
	if _, ok := highest(logits.Row(0)); !ok {
		return nil, notFinite("the rows before the question")
	}
	d.prefixes.put(r.key, cache)
	return cache, nil
}

// retain keeps the prefixes that a batch leaves to others; its first step ran.
func (d *Decoder) retain(batch []*reading, s *decoding) {
	for b, r := range batch {
		if r.keep == 0 || d.prefixes.has(r.key) {
			continue
		}
		cache := d.vacate(r.keep)
		d.layout.move(columns{cache, 1, r.keep, 0, 0}, columns{s.past, len(batch), s.width, b, s.width - r.Len()}, r.keep)
		d.prefixes.put(r.key, cache)
	}
}

// vacate is memory for a prefix, for which others make way.
func (d *Decoder) vacate(rows int) []float32 {
	d.prefixes.shrink(d.limits.KV/2 - d.layout.bytes(rows))
	return make([]float32, d.layout.values(rows))
}

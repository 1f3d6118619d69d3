package prune

import "math"

// queue holds positions by score, the highest score first and the lowest position
// of equals: a binary heap. An entry is a single number, so that two are compared
// at once and without a branch that nobody could predict.
type queue []entry

type entry uint64

// entryOf orders by score, then against position: 0 ≤ position < 2³².
func entryOf(score float32, position int) entry {
	bits := math.Float32bits(score + 0) // -0 and 0 are equals
	bits ^= uint32(int32(bits)>>31) | 1<<31
	return entry(bits)<<32 | entry(^uint32(position))
}

func (e entry) position() int { return int(^uint32(e)) }

// heapify makes a queue of entries in any order.
func (q queue) heapify() {
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
}

// first is the position to be looked at first.
func (q queue) first() int { return q[0].position() }

// drop takes the first entry off.
func (q queue) drop() queue {
	last := len(q) - 1
	q[0] = q[last]
	q = q[:last]
	if last > 0 {
		q.sink(0)
	}
	return q
}

// sink moves entry i down to where none below it is larger.
func (q queue) sink(i int) {
	e := q[i]
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		largest := q[child]
		if right := child + 1; right < len(q) {
			if other := q[right]; other > largest {
				largest, child = other, right
			}
		}
		if largest <= e {
			break
		}
		q[i] = largest
		i = child
	}
	q[i] = e
}

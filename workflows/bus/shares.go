package bus

// cycle is the priorities that twelve requests of a stage are taken from, one after
// the other: eight, three and one.
var cycle = [...]int{0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0}

// shares deals a stage's requests out among priorities, so that the last goes on
// while the first has more than workers can do.
type shares struct{ dealt int }

// of is how many of the next n requests each priority has a right to.
func (s *shares) of(n int) (quotas [len(priorities)]int) {
	for i := range n {
		quotas[cycle[(s.dealt+i)%len(cycle)]]++
	}
	return quotas
}

// deal notes that n requests were taken.
func (s *shares) deal(n int) { s.dealt = (s.dealt + n) % len(cycle) }

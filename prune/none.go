package prune

// none keeps every row, whatever the keep ratio.
type none struct{}

func newNone(Options) rule { return none{} }

func (none) usesQuery() bool { return false }

func (none) pick(g group, _ int) []int { return ascending(g.n) }

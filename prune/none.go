package prune

// none keeps every row, whatever the keep ratio.
type none struct{}

func newNone(o Options) Policy { return newPicker(o, none{}) }

func (none) usesQuery() bool { return false }

func (none) pick(g group, _ int) []pick { return unscored(ascending(g.n)) }

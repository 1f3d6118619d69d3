package prune

// none keeps every row, whatever the keep ratio.
type none struct{}

func newNone(o Options) Policy {
	o.Keep = 1
	return newPicker(o, none{})
}

func (none) usesQuery() bool { return false }

func (none) pick(g group, k int) []pick { return unscored(ascending(k)) }

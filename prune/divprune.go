package prune

// newDivPrune is DivPrune (arXiv 2503.02175): max-min diversity by cosine
// distance over all tokens of the clip, whatever the scope and the question. The
// first is the token farthest from its nearest neighbour; then, one by one, the
// token whose nearest pick is farthest. That is diverse with scope clip, under
// the name it is published by: rule, ties and scores are those of diverse.
//
// The published code runs it after the projector, ours before, like every
// method here. Cost: O((T·P)²·D) worst case.
func newDivPrune(o Options) Policy {
	o.Scope = ScopeClip
	return newPicker(o, diverse{})
}

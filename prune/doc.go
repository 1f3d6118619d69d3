// Package prune chooses which visual tokens a language model gets to see.
//
// In goes a Clip, the vision encoder's tokens [T,P,D] before the projector, and
// the vector of a question (QueryPrompt, QueryQuestion or QueryReleased). Out
// comes a Selection: for every token kept, its frame and cell, and the source
// rows and weights that make it. Gather, or somebody else, makes the tensor.
//
// A Policy is one rule with its settings; New makes it by name. The rules, one
// file each, are rediprune (relevance and diversity, arXiv 2603.24680), its two
// halves relevant and diverse; the field's other training-free rules that need
// no attention: divprune and cdpruner, which compare tokens, evs, dycoke and
// vidcom2, which compare frames; and the baselines frames, pool, uniform, random
// and none. They are pure: equal input makes an equal selection, ties included,
// whatever the number of cores. SelectFile runs a policy over a file.
//
// It stands above infer/tensor and imports nothing else of ours; the prune
// activity and the command line call it.
package prune

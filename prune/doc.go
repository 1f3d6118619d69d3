// Package prune chooses which visual tokens a language model gets to see.
//
// In goes a Clip, the vision encoder's tokens [T,P,D] before the projector, and
// the vector of a question (QueryPrompt, QueryQuestion or QueryReleased). Out
// comes a Selection: for every token kept, its frame and cell, and the source
// rows and weights that make it. Gather, or somebody else, makes the tensor.
//
// A Policy is one rule with its settings; New makes it by name. The rules are
// rediprune (relevance and diversity, arXiv 2603.24680), its two halves
// relevant and diverse, and the baselines uniform, random and none, one file
// each. They are pure: equal input makes an equal selection, ties included,
// whatever the number of cores. SelectFile runs a policy over a file.
//
// It stands above infer/tensor and imports nothing else of ours; the prune
// activity and the command line call it.
package prune

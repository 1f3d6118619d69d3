// Package job is Winnow's vocabulary: what is asked (Spec, Item), what comes
// back (Record, Failure) and what is told on the way (Event). Everything else
// points at it; it imports nothing of ours but artifact.
//
// A manifest goes in as lines and comes out as validated Items. Records are
// what users and pipelines read: exactly one per (item, variant).
package job

// Version is the version of every structure in this package as stored or sent.
// A reader refuses a structure of another version.
const Version = 1

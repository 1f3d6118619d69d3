// Package tensor holds arrays and the file format they travel in.
//
// Dense is a row-major array in memory. File is a safetensors file: Decode
// checks bytes from anywhere and gives views into them, Body and Encode write
// deterministic bytes, and Reader fetches single tensors or rows of a file too
// large to load. Float16 converts between half and single precision.
//
// It is the bottom of the tree: every stage's artifacts (clip, tokens, kept)
// and the bundle's embedding table are read and written here, and it imports
// nothing of ours.
package tensor

// Package child runs winnow-decode: one process a clip, which may crash, hang
// or eat memory without harm to the program that started it.
//
// In goes a wire.Request and the source as an io.ReaderAt, out comes the clip
// as safetensors bytes or a typed failure. The child has no network and no
// file: it asks for byte ranges over a socket, served here through a small
// block cache. Run watches its memory and its time, and has always reaped it
// when it returns. Package decode is the other side.
package child

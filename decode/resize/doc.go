// Package resize brings frames to the size that a vision encoder takes.
//
// In goes an RGB image of bytes, out comes one of size × size, by Pillow's
// antialiased bicubic (Resample.c: fixed point, columns before rows), equal to
// it byte for byte, since that is what the encoders were trained on. The crop
// is torchvision's. Package decode calls it on every frame it keeps. With cgo
// the sums are vectorised C, without it Go; both are the same integers.
package resize

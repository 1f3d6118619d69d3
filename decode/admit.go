package decode

import (
	"image"
	_ "image/gif"  // registers its header's reader
	_ "image/jpeg" // registers its header's reader
	_ "image/png"  // registers its header's reader
	"io"

	_ "golang.org/x/image/webp" // registers its header's reader

	"github.com/winnow-video/winnow/workflows/job"
)

// admit checks what can be known before FFmpeg sees a byte. It decodes a
// picture to learn its size, so a picture's header is read here.
func admit(src *source, limits job.Limits) error {
	switch {
	case src.size == 0:
		return fail(job.InputEmpty, "the file has no bytes")
	case src.size > limits.Bytes:
		return fail(job.InputTooLarge, "%d bytes, over limits.bytes %d", src.size, limits.Bytes)
	}
	picture, _, err := image.DecodeConfig(io.NewSectionReader(src, 0, src.size))
	if err != nil {
		return nil // no picture, or one that FFmpeg will judge
	}
	return withinPixels(picture.Width, picture.Height, limits)
}

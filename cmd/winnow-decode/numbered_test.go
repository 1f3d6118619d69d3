package main_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/decode/client"
)

// The synthetic clip: every frame shows its number in 8 blocks, 4 across and 2
// down, bright for 1, the lowest bit top left.
const (
	clipW, clipH   = 192, 128
	across, down   = 4, 2
	blockW, blockH = clipW / across, clipH / down
	rate           = 30 // frames a second
)

// numbered is n frames of raw RGB, n at most 256.
func numbered(n int) []byte {
	raw := make([]byte, 0, n*clipW*clipH*3)
	for i := range n {
		for y := range clipH {
			for x := range clipW {
				level := byte(30)
				if bit := y/blockH*across + x/blockW; i>>bit&1 == 1 {
					level = 220
				}
				raw = append(raw, level, level, level)
			}
		}
	}
	return raw
}

// numberOf reads the number from frame i of a clip of native size.
func numberOf(c *client.Clip, i int) int {
	pix, w := frameOf(c, i), c.Frames.Shape[2]
	number := 0
	for bit := range across * down {
		x, y := bit%across*blockW+blockW/2, bit/across*blockH+blockH/2
		if pix[3*(y*w+x)] > 125 {
			number |= 1 << bit
		}
	}
	return number
}

func frameOf(c *client.Clip, i int) []byte {
	size := c.Frames.Shape[1] * c.Frames.Shape[2] * 3
	return c.Frames.Data[i*size : (i+1)*size]
}

// encode writes raw frames of the synthetic clip's size and rate to a new file, as args
// say, and is its path.
func encode(t testing.TB, raw []byte, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	input := strings.Fields("-f rawvideo -pix_fmt rgb24 -s 192x128 -r 30 -i -")
	ffmpeg(t, raw, append(append(input, args...), path)...)
	return path
}

// ffmpeg runs the command-line tool.
func ffmpeg(t testing.TB, stdin []byte, args ...string) {
	t.Helper()
	cmd := exec.Command("ffmpeg", append(strings.Fields("-nostdin -hide_banner -v error -y"), args...)...)
	if stdin != nil {
		cmd = exec.Command("ffmpeg", append(strings.Fields("-hide_banner -v error -y"), args...)...)
		cmd.Stdin = bytes.NewReader(stdin)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v (make setup installs it)\n%s", strings.Join(args, " "), err, out)
	}
}

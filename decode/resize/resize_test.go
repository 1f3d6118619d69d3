package resize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden.json is written by testdata/golden.py with Pillow.
type golden struct {
	Cases []struct {
		W, H, Size int
		Mode       Mode
		Fill       [3]uint8
		Pix        []byte
	}
}

// picture is golden.py's.
func picture(w, h int) Image {
	m := New(w, h)
	state := uint32(w*1000 + h)
	for i := range m.Pix {
		state = state*1664525 + 1013904223
		m.Pix[i] = uint8(state >> 24)
	}
	return m
}

func TestSquareEqualsPillow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		t.Run(fmt.Sprintf("%dx%d_%s_%d", c.W, c.H, c.Mode, c.Size), func(t *testing.T) {
			t.Parallel()
			got, err := Square(picture(c.W, c.H), c.Size, c.Mode, c.Fill)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Image{c.Size, c.Size, c.Pix}, got); diff != "" {
				t.Errorf("differs from Pillow (-Pillow +ours):\n%s", diff)
			}
		})
	}
}

func TestSquareRefusesUnknownMode(t *testing.T) {
	t.Parallel()
	if _, err := Square(New(2, 2), 2, "stretch", [3]uint8{}); err == nil {
		t.Error("mode stretch was accepted")
	}
}

func TestMiddleRoundsHalvesToEven(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ full, size, want int }{{10, 10, 0}, {11, 10, 0}, {12, 10, 1}, {13, 10, 2}, {15, 10, 2}, {17, 10, 4}} {
		if got := middle(c.full, c.size); got != c.want {
			t.Errorf("middle(%d, %d) = %d, want %d", c.full, c.size, got, c.want)
		}
	}
}

// A part of an image, with all columns that count, has the square of the whole.
func TestSquareOfPart(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{ShortestCrop, Squash} {
		whole := picture(90, 40)
		plan, err := NewPlan(whole.W, whole.H, 20, mode, [3]uint8{})
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(plan.Square(whole, 0).Pix)
		from, to := plan.Columns()
		for _, left := range []int{from, 0, from / 2} {
			if diff := cmp.Diff(want, plan.Square(columnsOf(whole, left, to), left).Pix); diff != "" {
				t.Errorf("%s, columns %d..%d (-whole +part):\n%s", mode, left, to, diff)
			}
		}
	}
}

func columnsOf(m Image, from, to int) Image {
	out := New(to-from, m.H)
	for y := range m.H {
		copy(out.Pix[3*y*out.W:3*(y+1)*out.W], m.Pix[3*(y*m.W+from):])
	}
	return out
}

func BenchmarkShortestCrop(b *testing.B) {
	src := picture(1280, 720)
	plan, err := NewPlan(src.W, src.H, 336, ShortestCrop, [3]uint8{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		plan.Square(src, 0)
	}
}

// The vectorised sums are the same integers as Go's, whatever the shape.
func TestWeighEqualsGo(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		src := picture(1+rng.IntN(90), 1+rng.IntN(90))
		across, down := someWindow(rng), someWindow(rng)
		columns, rows := allTaps(src.W, across), allTaps(src.H, down)
		want := weighInGo(src, columns, rows)
		if diff := cmp.Diff(want, new(weigher).weigh(src, columns, rows)); diff != "" {
			t.Fatalf("%dx%d to %v, %v (-Go +vectorised):\n%s", src.W, src.H, across, down, diff)
		}
	}
}

func someWindow(rng *rand.Rand) window {
	full := 1 + rng.IntN(120)
	size := 1 + rng.IntN(full)
	return window{full, rng.IntN(full - size + 1), size}
}

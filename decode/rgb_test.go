package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/decode/resize"
)

// letters is an image whose pixels' red values are rows of text.
func letters(rows ...string) resize.Image {
	m := resize.New(len(rows[0]), len(rows))
	for i, letter := range []byte(rows[0] + rows[1]) {
		m.Pix[3*i] = letter
	}
	return m
}

func red(m resize.Image) (rows []string) {
	for y := range m.H {
		row := make([]byte, m.W)
		for x := range row {
			row[x] = m.Pix[3*(y*m.W+x)]
		}
		rows = append(rows, string(row))
	}
	return rows
}

func TestTurn(t *testing.T) {
	t.Parallel()
	const one = 1 << 16
	for _, c := range []struct {
		name       string
		a, b, c, d int32
		degrees    int
		want       []string
	}{
		{"upright", one, 0, 0, one, 0, []string{"abc", "def"}},
		{"90 clockwise", 0, one, -one, 0, 90, []string{"da", "eb", "fc"}},
		{"180", -one, 0, 0, -one, 180, []string{"fed", "cba"}},
		{"270 clockwise", 0, -one, one, 0, 270, []string{"cf", "be", "ad"}},
		{"mirrored left to right", -one, 0, 0, one, 0, []string{"cba", "fed"}},
		{"mirrored top to bottom", one, 0, 0, -one, 0, []string{"def", "abc"}},
		{"transposed", 0, one, one, 0, 90, []string{"ad", "be", "cf"}},
		{"45 degrees stay", 46340, 46340, -46340, 46340, 0, []string{"abc", "def"}},
		{"nothing stays", 0, 0, 0, 0, 0, []string{"abc", "def"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			turn := matrix{c.a, c.b, 0, c.c, c.d}.turn()
			if turn.degrees() != c.degrees {
				t.Errorf("degrees = %d, want %d", turn.degrees(), c.degrees)
			}
			if diff := cmp.Diff(c.want, red(turn.apply(letters("abc", "def")))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

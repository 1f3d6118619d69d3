package tensor

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShapeSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shape Shape
		want  int
		err   string
	}{
		{Shape{}, 1, ""},
		{Shape{3}, 3, ""},
		{Shape{2, 0, 5}, 0, ""},
		{Shape{2, 3, 4}, 24, ""},
		{Shape{2, -1}, 0, "negative"},
		{Shape{math.MaxInt, 2}, 0, "overflows"},
		{Shape{1 << 32, 1 << 32}, 0, "overflows"},
	} {
		got, err := c.shape.Size()
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %d, %v; want %d, %q", c.shape, got, err, c.want, c.err)
		}
	}
}

func TestFromRefusesAWrongShape(t *testing.T) {
	t.Parallel()
	if _, err := From([]int32{1, 2, 3}, 2, 2); err == nil || !strings.Contains(err.Error(), "wants 4 elements, there are 3") {
		t.Errorf("got %v", err)
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	src, err := From([]float32{0, 1, 10, 11, 20, 21}, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Gather(src, []int{2, 0, 2})
	if err != nil {
		t.Fatal(err)
	}
	want := Dense[float32]{Shape: Shape{3, 2}, Data: []float32{20, 21, 0, 1, 20, 21}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	none, err := Gather(src, nil)
	if err != nil || len(none.Data) != 0 || none.Rows() != 0 {
		t.Errorf("no rows: %v, %v", none, err)
	}
	for _, rows := range [][]int{{3}, {0, -1}} {
		if _, err := Gather(src, rows); err == nil || !strings.Contains(err.Error(), "outside 0…2") {
			t.Errorf("rows %v: %v", rows, err)
		}
	}
}

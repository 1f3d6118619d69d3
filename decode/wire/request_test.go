package wire

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestRequestDefaults(t *testing.T) {
	t.Parallel()
	got, err := ReadRequest(strings.NewReader(`{"v":1,"size":9,"sampling":{"count":8},"image":{"size":96},"limits":{"wall":5000000000}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		V: 1, Size: 9, Sampling: Sampling{Strategy: job.StrategyUniform, Count: 8},
		Image: Image{Size: 96, Resize: ShortestCrop}, Color: job.ColorTagged, Hwaccel: HwaccelNone, Threads: 1,
		Limits: job.Spec{Limits: job.Limits{Wall: 5 * time.Second}}.WithDefaults().Limits,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequestIsWrittenAsRead(t *testing.T) {
	t.Parallel()
	start, end := 1.5, 2.25
	want := Request{
		V: Version, Size: 1 << 40, Container: ".webm", Start: &start, End: &end,
		Sampling: Sampling{Count: 3}, Image: Image{Resize: Pad, Fill: [3]uint8{1, 2, 255}}, AllowPartial: true, Hwaccel: HwaccelVAAPI, Threads: 4, Local: true,
	}.WithDefaults()
	var text strings.Builder
	if err := WriteRequest(&text, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRequest(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		code       job.Code
		want       string
	}{
		{"empty", ``, job.ConfigInvalid, "unexpected end"},
		{"text after it", `{"v":1} {}`, job.ConfigInvalid, "after top-level value"},
		{"another version", `{"v":2,"news":true}`, job.InternalVersion, "version 2"},
		{"no version", `{}`, job.InternalVersion, "version 0"},
		{"unknown field", `{"v":1,"frames":3}`, job.ConfigInvalid, `"frames"`},
		{"too long", `{"v":1,"container":"` + strings.Repeat("x", maxRequest) + `"}`, job.ConfigInvalid, "longer than"},
		{"size", `{"v":1,"size":-1,"sampling":{"count":1}}`, job.ConfigInvalid, "size:"},
		{"start", `{"v":1,"start":-1,"sampling":{"count":1}}`, job.ConfigInvalid, "start:"},
		{"end", `{"v":1,"end":-0.5,"sampling":{"count":1}}`, job.ConfigInvalid, "end:"},
		{"end before start", `{"v":1,"start":2,"end":1,"sampling":{"count":1}}`, job.ConfigInvalid, "end: lies before start"},
		{"rate", `{"v":1,"sampling":{"strategy":"fps","count":1}}`, job.ConfigInvalid, "sampling.fps:"},
		{"rate of another strategy", `{"v":1,"sampling":{"fps":2,"count":1}}`, job.ConfigInvalid, "sampling.fps:"},
		{"strategy", `{"v":1,"sampling":{"strategy":"best","count":1}}`, job.ConfigInvalid, "sampling.strategy:"},
		{"count 0", `{"v":1}`, job.ConfigInvalid, "sampling.count:"},
		{"count", `{"v":1,"sampling":{"count":4097}}`, job.ConfigInvalid, "sampling.count:"},
		{"image size", `{"v":1,"sampling":{"count":1},"image":{"size":5000}}`, job.ConfigInvalid, "image.size:"},
		{"resize", `{"v":1,"sampling":{"count":1},"image":{"resize":"stretch"}}`, job.ConfigInvalid, "image.resize:"},
		{"color", `{"v":1,"sampling":{"count":1},"color":"sepia"}`, job.ConfigInvalid, "color:"},
		{"hwaccel", `{"v":1,"sampling":{"count":1},"hwaccel":"opencl"}`, job.ConfigInvalid, `hwaccel: "opencl": want auto, none, cuda, vaapi`},
		{"pixels", `{"v":1,"sampling":{"count":1},"limits":{"pixels":-1}}`, job.ConfigInvalid, "limits.pixels:"},
		{"decode errors", `{"v":1,"sampling":{"count":1},"limits":{"decode_errors":-1}}`, job.ConfigInvalid, "limits.decode_errors:"},
		{"wall", `{"v":1,"sampling":{"count":1},"limits":{"wall":-1}}`, job.ConfigInvalid, "limits.wall:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadRequest(strings.NewReader(c.text))
			var failure *job.Failure
			if !errors.As(err, &failure) || failure.Code != c.code || !strings.Contains(failure.Detail, c.want) {
				t.Errorf("%v; want %s with %q", err, c.code, c.want)
			}
		})
	}
}

func TestRequestRefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	r := Request{V: Version, Start: &nan, Sampling: Sampling{Count: 1}}.WithDefaults()
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "start:") {
		t.Errorf("start NaN: %v", err)
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add(`{"v":1,"sampling":{"count":8},"image":{"size":96,"resize":"pad","fill":[1,2,3]},"start":1,"end":2}`)
	f.Add(`{"v":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadRequest(strings.NewReader(text))
		if err != nil {
			return
		}
		var again strings.Builder
		if err := WriteRequest(&again, r); err != nil {
			t.Fatal(err)
		}
		same, err := ReadRequest(strings.NewReader(again.String()))
		if err != nil {
			t.Fatalf("a request that was read does not read again: %v", err)
		}
		if diff := cmp.Diff(r, same); diff != "" {
			t.Error(diff)
		}
	})
}

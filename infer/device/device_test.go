package device

import "testing"

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"auto": "auto", "cpu": "cpu", "cuda": "cuda:0", "cuda:3": "cuda:3", "tensorrt:1": "tensorrt:1",
	} {
		var d Device
		if err := d.Set(text); err != nil || d.String() != want {
			t.Errorf("%q: %s, %v, want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "gpu", "CUDA", "cpu:0", "auto:1", "cuda:", "cuda:x", "cuda:-1", "cuda:300", "cuda:0:1"} {
		if d, err := Parse(text); err == nil {
			t.Errorf("%q is %s", text, d)
		}
	}
	if got := (Device{}).String(); got != "auto" {
		t.Errorf("the zero Device is %s", got)
	}
}

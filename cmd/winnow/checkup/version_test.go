package checkup

import "testing"

func TestOlder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, least string
		want           bool
	}{
		{"2.9.25", "2.10", true}, {"2.10.0", "2.10", false}, {"2.15.2", "2.10", false}, {"v1.28.0-rc.1", "1.29", true},
		{"1.32.1", "1.29", false}, {"3.0", "2.10", false}, {"0.30.1", "1.29", true}, {"cloud", "1.29", false}, {"", "1.29", false},
	} {
		if got := older(test.version, test.least); got != test.want {
			t.Errorf("older(%q, %q) is %v", test.version, test.least, got)
		}
	}
}

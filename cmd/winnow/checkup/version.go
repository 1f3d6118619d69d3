package checkup

import (
	"strconv"
	"strings"
)

// older says whether a version, like 2.9.25 or v1.28.0-rc.1, is below major.minor.
// One that is no version counts as new.
func older(version, least string) bool {
	major, minor, ok := majorMinor(version)
	wantMajor, wantMinor, _ := majorMinor(least)
	return ok && (major < wantMajor || major == wantMajor && minor < wantMinor)
}

func majorMinor(version string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

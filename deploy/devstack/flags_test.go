package main

import (
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args           []string
		code           int
		stdout, stderr string // what they contain; empty: they are empty
	}{
		"help":            {[]string{"-h"}, exitOK, "Exit codes:", ""},
		"long help":       {[]string{"--help"}, exitOK, "--state DIR", ""},
		"version":         {[]string{"--version"}, exitOK, "Temporal 1.", ""},
		"no state":        {nil, exitUsage, "", "--state is missing"},
		"unknown flag":    {[]string{"--bogus"}, exitUsage, "", "-bogus"},
		"argument":        {[]string{"--state", "x", "y"}, exitUsage, "", `"y"`},
		"port too high":   {[]string{"--state", "x", "--s3-port", "65536"}, exitUsage, "", "--s3-port 65536"},
		"port no number":  {[]string{"--state", "x", "--nats-port", "four"}, exitUsage, "", "nats-port"},
		"unknown level":   {[]string{"--state", "x", "--log-level", "loud"}, exitUsage, "", "log-level"},
		"state is a file": {[]string{"--state", "/dev/null"}, exitFailure, "", "give another --state"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runs(t, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			contains(t, "standard output", stdout, test.stdout)
			contains(t, "standard error", stderr, test.stderr)
		})
	}
}

func contains(t *testing.T, name, got, want string) {
	t.Helper()
	if (want == "") != (got == "") || !strings.Contains(got, want) {
		t.Errorf("%s is %q, want %q in it", name, got, want)
	}
}

package main

import (
	"runtime/debug"
	"strings"
)

// version is the version of this program: a release's tag, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// versionLine names this program's version and those of the servers in it.
func versionLine() string {
	parts := []string{"winnow-devstack " + version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if name, ok := serverName(dep.Path); ok {
				parts = append(parts, name+" "+strings.TrimPrefix(dep.Version, "v"))
			}
		}
	}
	return strings.Join(parts, ", ")
}

func serverName(module string) (string, bool) {
	switch module {
	case "go.temporal.io/server":
		return "Temporal", true
	case "github.com/temporalio/ui-server/v2":
		return "Temporal UI", true
	case "github.com/nats-io/nats-server/v2":
		return "NATS", true
	case "github.com/versity/versitygw":
		return "versitygw", true
	}
	return "", false
}

package main

import (
	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves Temporal's web UI in the background. Should its port be lost to another program in the moment before it
// listens, the UI server ends the process and says so; the port was free when it was chosen.
func startUI(p ports) *server.Server {
	ui := server.NewServer(server_options.WithConfigProvider(&config.Config{
		Host:                loopback,
		Port:                p.TemporalUI,
		TemporalGRPCAddress: address(p.Temporal),
		EnableUI:            true,
		DefaultNamespace:    namespace,
		CORS:                config.CORS{CookieInsecure: true}, // loopback has no TLS
		HideLogs:            true,
		DisableNewsFetch:    true,
	}))
	go func() { _ = ui.Start() }()
	return ui
}

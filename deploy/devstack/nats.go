package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/crypto/bcrypt"
)

// maxPayloadBytes bounds one message. References and small structs travel here; tensors lie in S3.
const maxPayloadBytes = 1 << 20

// natsServer is a running NATS server.
type natsServer struct {
	server *server.Server
	failed <-chan error // gets the reason once a stream can no longer be written
}

// startNATS starts a NATS server with JetStream in dir. Every write is synced before it is acknowledged: a stream is the only
// copy of a request under way.
func startNATS(dir string, port int, key natsKey, log *slog.Logger) (*natsServer, error) {
	// The password is 130 random bits: the hash keeps it out of the server's options and need not be slow.
	hash, err := bcrypt.GenerateFromPassword([]byte(key.Password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("nats: hash the password: %w", err)
	}
	nats, err := server.NewServer(&server.Options{
		ServerName:         "winnow-devstack",
		Host:               loopback,
		Port:               port,
		Username:           key.User,
		Password:           string(hash),
		MaxPayload:         maxPayloadBytes,
		JetStream:          true,
		JetStreamMaxMemory: 256 << 20,
		StoreDir:           dir,
		SyncAlways:         true,
		NoSigs:             true,
	})
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	failed := make(chan error, 1)
	nats.SetLoggerV2(natsLogger{log, failed}, log.Enabled(context.Background(), slog.LevelDebug), false, false)
	go nats.Start()
	if !nats.ReadyForConnections(30 * time.Second) {
		nats.Shutdown()
		return nil, fmt.Errorf("nats: not ready on %s after 30 s: look for its reason with --log-level info", address(port))
	}
	return &natsServer{nats, failed}, nil
}

func (n *natsServer) close() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

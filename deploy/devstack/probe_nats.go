package main

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// probeNATS asks JetStream for the account, with the credentials that others get.
func probeNATS(ctx context.Context, port int, key natsKey) error {
	conn, err := nats.Connect(natsURL(port), nats.UserInfo(key.User, key.Password))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	_, err = js.AccountInfo(ctx)
	return err
}

func natsURL(port int) string { return "nats://" + address(port) }

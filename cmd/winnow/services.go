package main

import (
	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/stack"
)

const servicesLong = `Temporal, NATS and S3 servers of your own, in place of the embedded stack.

Each setting is a key of the file that --services names, a variable, and, but for secrets, a
flag of every command and of winnow-infer. A flag wins over the variable, that over the file.
Once one setting is given, all services are outside ones: what is missing is refused by name.

  temporal:
    address: temporal.example.com:7233
    namespace: winnow
    tls: {ca_file: ca.pem, cert_file: client.pem, key_file: client.key}
  nats:
    urls: [tls://nats-0.example.com:4222, tls://nats-1.example.com:4222]
    creds_file: winnow.creds
    replicas: 3
  s3:
    endpoint: https://s3.eu-central-1.amazonaws.com
    region: eu-central-1
    bucket: winnow

Relative paths in the file are relative to it; unknown keys are refused. Without s3.access_key the
keys come from AWS's variables (AWS_ACCESS_KEY_ID, …), else its shared files (AWS_PROFILE), else a
web identity, a container's or the machine's role. ` + "`winnow doctor`" + ` checks all of it.

`

// servicesTopic is help without a command.
func (a *app) servicesTopic() *cobra.Command {
	return &cobra.Command{Use: "services", Short: "Your own Temporal, NATS and S3", Long: servicesLong + stack.Help()}
}

package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/winnow-video/winnow/workflows/trust"
)

// dialLimit bounds connecting to a frontend that does not answer.
const dialLimit = 10 * time.Second

// Temporal says where Temporal's frontend is, and who asks. Address and Namespace are required.
type Temporal struct {
	Address    string      `json:"address"` // host:port
	Namespace  string      `json:"namespace"`
	TLS        trust.Files `json:"tls,omitzero"`
	APIKey     string      `json:"-"` // turns TLS on
	APIKeyFile string      `json:"-"` // holds the key; read anew for every request, so that it can be replaced
}

// Validate names the first field that cannot be.
func (t Temporal) Validate() error {
	switch {
	case t.Address == "":
		return errors.New("temporal.address is missing")
	case t.Namespace == "":
		return errors.New("temporal.namespace is missing")
	case t.APIKey != "" && t.APIKeyFile != "":
		return errors.New("temporal.api_key and temporal.api_key_file are both set: keep one")
	}
	if _, _, err := net.SplitHostPort(t.Address); err != nil {
		return fmt.Errorf("temporal.address %q: want host:port, like temporal:7233", t.Address)
	}
	return t.TLS.Validate("temporal.tls")
}

// Dial connects, and fails within 10 s where the frontend does not answer, does
// not know the credentials or has no such namespace. The SDK's own warnings go to logger.
func (t Temporal) Dial(ctx context.Context, logger *slog.Logger) (client.Client, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	options, err := t.options(logger)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	c, err := client.DialContext(limited, options)
	if err != nil {
		return nil, t.explain(ctx, err)
	}
	_, err = c.WorkflowService().DescribeNamespace(limited, &workflowservice.DescribeNamespaceRequest{Namespace: t.Namespace})
	if err != nil {
		c.Close()
		return nil, t.explain(ctx, err)
	}
	return c, nil
}

func (t Temporal) options(logger *slog.Logger) (client.Options, error) {
	o := client.Options{
		HostPort: t.Address, Namespace: t.Namespace,
		Logger: log.NewStructuredLogger(logger),
		ConnectionOptions: client.ConnectionOptions{
			GetSystemInfoTimeout: dialLimit,
			GrpcCompression:      &client.GrpcCompressionNone{}, // messages of hundreds of bytes, which gzip costs more than it spares
		},
	}
	if t.TLS.Wanted() {
		tls, err := t.TLS.Config("temporal.tls")
		if err != nil {
			return o, err
		}
		o.ConnectionOptions.TLS = tls
	}
	if t.APIKey != "" || t.APIKeyFile != "" {
		if _, err := t.apiKey(context.Background()); err != nil {
			return o, err
		}
		o.Credentials = client.NewAPIKeyDynamicCredentials(t.apiKey)
	}
	return o, nil
}

func (t Temporal) apiKey(context.Context) (string, error) {
	if t.APIKeyFile == "" {
		return t.APIKey, nil
	}
	text, err := os.ReadFile(t.APIKeyFile)
	if err != nil {
		return "", fmt.Errorf("temporal.api_key_file: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" {
		return "", fmt.Errorf("temporal.api_key_file: %s is empty", t.APIKeyFile)
	}
	return key, nil
}

// explain says what is wrong in one line, and what to do.
func (t Temporal) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var missing *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	mend := "look whether it runs and the address is right; with TLS in front of it, set temporal.tls.enabled"
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("temporal at %s has no namespace %q: make it with `temporal operator namespace create --namespace %s --retention 168h`, or set temporal.namespace",
			t.Address, t.Namespace, t.Namespace)
	case errors.As(err, &denied), strings.Contains(err.Error(), "Unauthenticated"):
		mend = "check temporal.api_key or the certificate in temporal.tls"
	case strings.Contains(err.Error(), "x509:"), strings.Contains(err.Error(), "tls:"):
		mend = "check temporal.tls.ca_file and server_name"
	}
	return fmt.Errorf("temporal at %s: %s: %s", t.Address, cmp.Or(oneLine(err), "no answer"), mend)
}

// oneLine is an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

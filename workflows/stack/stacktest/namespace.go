package stacktest

import (
	"crypto/rand"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/winnow-video/winnow/workflows/stack"
)

// Namespace makes a namespace as Temporal makes them, with nothing of ours in it,
// and waits until it can be used.
func Namespace(t *testing.T, c stack.Temporal) string {
	t.Helper()
	name := "bare-" + rand.Text()
	conn, err := client.NewNamespaceClient(client.Options{HostPort: c.Address})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := client.DialContext(t.Context(), client.Options{HostPort: c.Address, Namespace: name})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // servers look for new ones now and then
		_, err := bare.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{})
		if err == nil {
			return name
		}
		if time.Now().After(deadline) {
			t.Fatalf("namespace %s cannot be used: %v", name, err)
		}
	}
}

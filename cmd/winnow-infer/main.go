// Command winnow-infer serves one model bundle: it pulls encode and answer
// requests from JetStream, runs them with ONNX Runtime or has a vLLM server
// answer them, and writes the objects they ask for. One process a device.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "winnow-infer:", err)
		os.Exit(1)
	}
}

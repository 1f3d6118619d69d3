// Package tests checks what stands beside it for running Winnow elsewhere: images, compose file
// and Helm chart, by the parsers of those who read them: BuildKit's, Compose's, Helm's,
// Kubernetes' types, KEDA's schemas, NATS's configuration. Nothing is built or started.
//
// It is a module of its own, so that they stay out of the product's. The programs' flags, queues
// and consumers are asked of the programs: `make test-deploy` builds them first.
package tests

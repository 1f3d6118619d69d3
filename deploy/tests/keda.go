//go:build schemas

package tests

// KEDA's module holds the schemas of its objects and of its triggers, which the tests read. Its
// packages are not needed: this one imports nothing, and go mod tidy keeps the module for it.
import _ "github.com/kedacore/keda/v2/version"

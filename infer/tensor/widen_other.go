//go:build !amd64

package tensor

func widen([]float32, []Float16) int { return 0 }

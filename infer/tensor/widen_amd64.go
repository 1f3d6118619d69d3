package tensor

import "golang.org/x/sys/cpu"

// Every processor with AVX2 converts halves (F16C) as well; x/sys has no flag for that one.
var hasF16C = cpu.X86.HasAVX2

// widen converts src, and returns how many of its first numbers it did.
func widen(dst []float32, src []Float16) int {
	const step = 16
	n := len(src) &^ (step - 1)
	if !hasF16C || n == 0 {
		return 0
	}
	widenF16C(&dst[0], &src[0], n)
	return n
}

// widenF16C converts n numbers, a multiple of 16.
//
//go:noescape
func widenF16C(dst *float32, src *Float16, n int)

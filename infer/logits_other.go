//go:build !amd64

package infer

func highestLanes(logits []float32) (top float32, ok bool) { return highestGo(logits) }

func addExps(sums *[lanes]float64, logits []float32, top float32) { addExpsGo(sums, logits, top) }

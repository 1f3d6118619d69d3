//go:build !amd64

package prune

func dotLanes(a, b []float32) float32                      { return dotLanesGo(a, b) }
func dot4Lanes(a []float32, rows *[4][]float32) [4]float32 { return dot4LanesGo(a, rows) }
func normLanes(v []float32) float64                        { return normLanesGo(v) }
func scale(dst, v []float32, by float64)                   { scaleGo(dst, v, by) }

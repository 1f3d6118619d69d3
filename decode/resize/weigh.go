//go:build !(cgo && amd64)

package resize

// weigher applies taps to images of one size.
type weigher struct{}

// weigh applies the taps to src: of columns, then of rows.
func (*weigher) weigh(src Image, columns, rows []taps) Image { return weighInGo(src, columns, rows) }

//go:build !(cgo && amd64)

package resize

// weigh applies the taps to src: of columns, then of rows.
func weigh(src Image, columns, rows []taps) Image { return weighInGo(src, columns, rows) }

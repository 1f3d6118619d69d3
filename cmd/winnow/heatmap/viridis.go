package heatmap

import "image/color"

// viridisStops are matplotlib's viridis (CC0) at equal steps of 1/8: as
// lightness rises evenly, it reads in grey and by colour-blind eyes too.
func viridisStops() [9]color.RGBA {
	return [9]color.RGBA{
		{68, 1, 84, 255}, {71, 45, 123, 255}, {59, 82, 139, 255}, {44, 114, 142, 255}, {33, 145, 140, 255},
		{40, 174, 128, 255}, {94, 201, 98, 255}, {173, 220, 48, 255}, {253, 231, 37, 255},
	}
}

// viridis is the colour of x, 0 ≤ x ≤ 1.
func viridis(x float64) color.RGBA {
	stops := viridisStops()
	at := x * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	low, high, t := stops[i], stops[i+1], at-float64(i)
	between := func(a, b uint8) uint8 { return uint8(float64(a)*(1-t) + float64(b)*t + 0.5) }
	return color.RGBA{between(low.R, high.R), between(low.G, high.G), between(low.B, high.B), 255}
}

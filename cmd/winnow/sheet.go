package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/winnow-video/winnow/decode/client"
)

// A contact sheet's measures, in pixels.
const (
	sheetGap   = 6
	sheetLabel = 18 // room below a frame for its number and time
)

// contactSheet lays a clip's frames out in rows, near to a square.
func contactSheet(clip *client.Clip) image.Image {
	s := clip.Frames.Shape
	n, h, w := s[0], s[1], s[2]
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	rows := (n + columns - 1) / columns
	sheet := image.NewRGBA(image.Rect(0, 0, sheetGap+columns*(w+sheetGap), sheetGap+rows*(h+sheetLabel+sheetGap)))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{Y: 24}), image.Point{}, draw.Src)
	for i := range n {
		at := image.Pt(sheetGap+i%columns*(w+sheetGap), sheetGap+i/columns*(h+sheetLabel+sheetGap))
		drawFrame(sheet, at, clip.Frames.Data[i*h*w*3:(i+1)*h*w*3], w)
		label(sheet, at.Add(image.Pt(0, h+sheetLabel-5)), fmt.Sprintf("#%d  %.3f s", clip.Index[i], clip.PTS[i]))
	}
	return sheet
}

// drawFrame copies RGB pixels, rows of width w, to at.
func drawFrame(sheet *image.RGBA, at image.Point, rgb []uint8, w int) {
	for y := range len(rgb) / (3 * w) {
		to := sheet.Pix[sheet.PixOffset(at.X, at.Y+y):]
		for x := range w {
			from := rgb[(y*w+x)*3:]
			to[x*4], to[x*4+1], to[x*4+2], to[x*4+3] = from[0], from[1], from[2], 255
		}
	}
}

func label(sheet *image.RGBA, at image.Point, text string) {
	d := font.Drawer{Dst: sheet, Src: image.White, Face: basicfont.Face7x13, Dot: fixed.P(at.X, at.Y)}
	d.DrawString(text)
}

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/sys/unix"
)

// rows are rows of a table.
type rows = []table.Row

// table is a plain table on the command's output. Empty headers are left out.
func (a *app) table(headers ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	if len(headers) > 0 && headers[0] != "" {
		t.AppendHeader(headers)
	}
	return t
}

// si prints a number with three digits and a unit prefix: 1.23 G.
func si(x float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if x >= unit.size {
			return fmt.Sprintf("%.3g %s", x/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g ", x)
}

// isTerminal says whether w is a terminal, and so may be drawn on.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

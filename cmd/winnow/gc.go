package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/life"
)

const gcLong = `Remove artifacts that were not used for a while. Results and records stay for good.

What a video was turned into (clips, tokens, kept tokens, answers) is stored so that later
questions find it. It can always be made again from the video. An artifact goes when it was
neither made nor used within the age of its kind. Jobs mark what they use every 30 minutes, so
gc may run at any time, on any machine, beside any job. What videos reported to their page goes
as soon as the page has written its records.

Ages are durations like 36h. Tokens cost an encoder to make again, clips a decoder, kept tokens
next to nothing. Run it once a day.`

func (a *app) gcCommand() *cobra.Command {
	var dry, asJSON bool
	ages := life.Defaults()
	c := &cobra.Command{
		Use: "gc", Short: "Remove artifacts that are no longer used", Long: gcLong, Args: exactArgs(),
		Example: "  winnow gc --dry-run\n  winnow gc --clips 6h --kept 48h",
	}
	values := map[artifact.Kind]*time.Duration{}
	for _, kind := range life.Kinds {
		name := kindName(kind)
		values[kind] = c.Flags().Duration(name, ages[kind], "how long "+name+" stay after their last use")
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "remove nothing, say what would go")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for kind, age := range values {
			ages[kind] = *age
		}
		if err := ages.Validate(); err != nil {
			return usageError(err)
		}
		s, err := a.attach(c.Context())
		if err != nil {
			return err
		}
		defer s.close()
		tell, done := a.sweeping()
		report, err := life.Sweep(c.Context(), s.conn.store, ages, dry, tell)
		done()
		if err != nil {
			return err
		}
		return a.printSwept(report, ages, dry, asJSON)
	}
	return c
}

// kindName is a kind as flags and tables name it.
func kindName(kind artifact.Kind) string {
	switch kind {
	case artifact.KindClip:
		return "clips"
	case artifact.KindAnswer:
		return "answers"
	}
	return string(kind)
}

// sweeping draws how far a sweep is, on a terminal, until it is done.
func (a *app) sweeping() (tell func(life.Report), done func()) {
	if !isTerminal(a.err) {
		return func(life.Report) {}, func() {}
	}
	last := time.Now()
	tell = func(r life.Report) {
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		removed, left := sums(r)
		fmt.Fprintf(a.err, "\r%d artifacts looked at, %d of them too old, %sB\x1b[K", removed.Objects+left.Objects, removed.Objects, si(float64(removed.Bytes)))
	}
	return tell, func() { fmt.Fprint(a.err, "\r\x1b[K") }
}

func sums(r life.Report) (removed, left life.Count) {
	for _, of := range r {
		removed.Objects, removed.Bytes = removed.Objects+of.Removed.Objects, removed.Bytes+of.Removed.Bytes
		left.Objects, left.Bytes = left.Objects+of.Left.Objects, left.Bytes+of.Left.Bytes
	}
	return removed, left
}

func (a *app) printSwept(r life.Report, ages life.Ages, dry, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(r)
	}
	went := "removed"
	if dry {
		went = "would go"
	}
	t := a.table("artifacts", "age", went, "", "left", "")
	row := func(name any, age any, removed, left life.Count) {
		t.AppendRow([]any{name, age, removed.Objects, si(float64(removed.Bytes)) + "B", left.Objects, si(float64(left.Bytes)) + "B"})
	}
	for _, kind := range life.Kinds {
		row(kindName(kind), ages[kind], r[kind].Removed, r[kind].Left)
	}
	row("drafts", "", r[life.Draft].Removed, r[life.Draft].Left)
	removed, left := sums(r)
	row("all", "", removed, left)
	t.Render()
	return nil
}

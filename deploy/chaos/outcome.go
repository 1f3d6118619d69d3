package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/winnow-video/winnow/deploy/chaos/audit"
)

// outcome is what a job came to.
type outcome struct {
	scene      string
	strikes    []struck
	took       time.Duration
	items      int
	objects    int // read whole
	encodes    audit.Encodes
	violations []string
}

// violate notes violations, each once: a page's record and a result tell of the same item.
func (o *outcome) violate(what ...string) {
	for _, v := range what {
		if !slices.Contains(o.violations, v) {
			o.violations = append(o.violations, v)
		}
	}
}

// inFlight is how many encodes the strikes may have cost.
func (o *outcome) inFlight() int {
	n := 0
	for _, s := range o.strikes {
		n += s.held
	}
	return n
}

// judgeEncodes holds the encodes against what may be: each video's once, and
// again only what a strike interrupted.
func (o *outcome) judgeEncodes(videos int) {
	e := o.encodes
	if e.Finished != videos {
		o.violate(fmt.Sprintf("%d videos were encoded, %d were asked about", e.Finished, videos))
	}
	if e.Begun < e.Finished {
		o.violate(fmt.Sprintf("%d videos were encoded, but storage's log has only %d begun", e.Finished, e.Begun))
	}
	if limit := o.inFlight(); e.Repeated > limit {
		o.violate(fmt.Sprintf("%d encodes were begun again, %d were in flight at the strikes", e.Repeated, limit))
	}
	for _, clip := range e.Again {
		o.violate("encoded again after its end: " + clip)
	}
}

// table tells the outcomes in Markdown.
func table(o options, outcomes []outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d videos a job, seed %d\n\n", o.videos, o.seed)
	b.WriteString("| scene | strikes | seconds | records | encodes | clips read again | in flight at strikes | objects read | violations |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, one := range outcomes {
		b.WriteString(one.String() + "\n")
	}
	for _, one := range outcomes {
		for _, v := range one.violations {
			fmt.Fprintf(&b, "\n- %s: %s", one.scene, v)
		}
	}
	return b.String() + "\n"
}

// String is the outcome's row of the table.
func (o outcome) String() string {
	return fmt.Sprintf("| %s | %s | %.0f | %d | %d | %d | %d | %d | %d |",
		o.scene, o.hit(), o.took.Seconds(), o.items, o.encodes.Finished, o.encodes.Repeated, o.inFlight(), o.objects, len(o.violations))
}

// hit names what was struck, in order, and by which scene where there were several.
func (o outcome) hit() string {
	var all []string
	for _, s := range o.strikes {
		if s.scene == o.scene || s.scene == s.host {
			all = append(all, s.host)
		} else {
			all = append(all, s.scene+" "+s.host)
		}
	}
	return strings.Join(all, ", ")
}

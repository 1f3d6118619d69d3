package main

import (
	"fmt"
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

func (o *outcome) violate(what ...string) { o.violations = append(o.violations, what...) }

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
	fmt.Fprintf(&b, "%d videos a job, seed %d, %s\n\n", o.videos, o.seed, time.Now().UTC().Format(time.DateOnly))
	b.WriteString("| scene | strikes | seconds | records | encodes | begun again | in flight at strikes | objects read | violations |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, one := range outcomes {
		e := one.encodes
		fmt.Fprintf(&b, "| %s | %s | %.0f | %d | %d | %d | %d | %d | %d |\n",
			one.scene, hostsOf(one.strikes), one.took.Seconds(), one.items, e.Finished, e.Repeated, one.inFlight(), one.objects, len(one.violations))
	}
	for _, one := range outcomes {
		for _, v := range one.violations {
			fmt.Fprintf(&b, "\n- %s: %s", one.scene, v)
		}
	}
	return b.String() + "\n"
}

// hostsOf names what was struck, in order.
func hostsOf(strikes []struck) string {
	var hosts []string
	for _, s := range strikes {
		hosts = append(hosts, s.host)
	}
	return strings.Join(hosts, ", ")
}

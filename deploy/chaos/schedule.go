package main

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// Jobs are struck while these shares of their videos have been encoded.
const (
	firstStrike = 0.05
	lastStrike  = 0.85
)

// strike is one thing done to the cluster.
type strike struct {
	scene  string
	at     float64       // share of the job's videos that are encoded by then
	host   string        // that it is done to
	silent bool          // of two ways, the one without a word: a pulled cable in place of a dead program
	away   time.Duration // until what was struck comes back
	aim    time.Duration // where requests pile up: into the work on them
}

// longestAim is about what a winnow-infer takes for a dozen clips.
const longestAim = 600 * time.Millisecond

// schedule is when, where and how a scene strikes: the same for the same seed.
// Strikes come one in each of as many equal parts of the job.
func schedule(seed uint64, s scene, times int) []strike {
	name := fnv.New64a()
	name.Write([]byte(s.name))
	random := rand.New(rand.NewPCG(seed, name.Sum64()))
	part := (lastStrike - firstStrike) / float64(times)
	var all []strike
	for i := range times {
		one := strike{
			scene:  s.name,
			at:     firstStrike + part*(float64(i)+random.Float64()),
			silent: random.IntN(2) == 1,
			away:   s.away.least + time.Duration(random.Float64()*float64(s.away.most-s.away.least)),
		}
		one.aim = time.Duration(random.Float64() * float64(longestAim))
		if one.host = ""; len(s.hosts) > 0 {
			one.host = s.hosts[random.IntN(len(s.hosts))]
		}
		all = append(all, one)
	}
	return all
}

// play is one job, by the name of what is played in it.
type play struct {
	name    string
	strikes []strike
}

// plays are a job for each scene, or one in which all strike by turns.
func (o options) plays() []play {
	var each []play
	all := play{name: "together"}
	for _, s := range o.scenes() {
		one := play{s.name, schedule(o.seed, s, o.times)}
		each, all.strikes = append(each, one), append(all.strikes, one.strikes...)
	}
	if !o.together {
		return each
	}
	slices.SortStableFunc(all.strikes, func(a, b strike) int { return cmp.Compare(a.at, b.at) })
	return []play{all}
}

// span is a range that a duration is drawn from.
type span struct{ least, most time.Duration }

// Chaos kills everything that a cluster of Winnow runs, by turns, under a job,
// and says whether the job came to the same end. See README.md beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const long = `Run a job over demo videos on a cluster in network namespaces, undisturbed first and
then once for every scene, while the scene kills, cuts off or fills up something at
places that the seed chooses. After each job say whether every item has one record
with the answer of the undisturbed job, whether a finished encode was done again, and
whether an object in storage is torn. Prints a table in Markdown.

It takes root, iproute2, PostgreSQL and, to draw the videos once, Python with numpy
and OpenCV and an ffmpeg with x264 and VP9. Logs lie in --state/logs. Whatever a
killed run left behind is ended by the next one, or by --clear.

Exit codes: 0 nothing was violated; 1 something was, or chaos itself failed.

Scenes:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	only     []string
	together bool
	seed     uint64
	times    int
	videos   int
	limit    time.Duration
	state    string
	oracle   string
	clear    bool
	tools    tools
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "chaos", Short: "Kill what a cluster runs, and audit the job", Long: long + sceneList(),
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.only, "only", nil, "scenes to play, in this order (default: all)")
	f.BoolVar(&o.together, "together", false, "play them in one job, strike by strike")
	f.Uint64Var(&o.seed, "seed", 1, "of when, where and how each scene strikes")
	f.IntVar(&o.times, "times", 3, "strikes of each scene")
	f.IntVar(&o.videos, "videos", 500, "videos of the job, one question each")
	f.DurationVar(&o.limit, "limit", 20*time.Minute, "time one job may take")
	f.StringVar(&o.state, "state", "/var/tmp/winnow-chaos", "folder of data and logs, emptied first")
	f.StringVar(&o.oracle, "oracle", "", "file of the undisturbed job's records: read if it exists, else that job runs and writes it (default: the job runs)")
	f.BoolVar(&o.clear, "clear", false, "only end what an earlier run left behind")
	o.tools.bind(f)
	return c
}

func sceneList() string {
	var b strings.Builder
	for _, s := range scenes {
		fmt.Fprintf(&b, "  %-16s %s\n", s.name, s.does)
	}
	return b.String()
}

// scenes are those to play.
func (o options) scenes() []scene {
	if len(o.only) == 0 {
		return scenes
	}
	var chosen []scene
	for _, name := range o.only {
		one, _ := sceneOf(name)
		chosen = append(chosen, one)
	}
	return chosen
}

// validate names the flag that cannot be.
func (o options) validate() error {
	for _, name := range o.only {
		if _, ok := sceneOf(name); !ok {
			return fmt.Errorf("--only %s: there is no such scene; `chaos -h` lists them", name)
		}
	}
	switch {
	case o.times < 1:
		return fmt.Errorf("--times %d: want at least 1", o.times)
	case o.videos < 1:
		return fmt.Errorf("--videos %d: want at least 1", o.videos)
	case o.limit <= 0:
		return fmt.Errorf("--limit %v: want a duration like 20m", o.limit)
	}
	return nil
}

func (o options) run(ctx context.Context) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	if o.state, err = filepath.Abs(o.state); err != nil {
		return err
	}
	config, err := o.tools.find(o.state)
	if err != nil {
		return err
	}
	if o.clear {
		return clearUp(ctx, config)
	}
	clips, err := o.tools.clips(ctx, o.videos)
	if err != nil {
		return err
	}
	stage, err := open(ctx, config, o, clips)
	defer func() { err = errors.Join(err, stage.close()) }()
	if err != nil {
		return err
	}
	return stage.play(ctx)
}

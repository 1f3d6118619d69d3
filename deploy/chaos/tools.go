package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/deploy/chaos/cluster"
)

// clipSeed is in no training, no demo and no benchmark.
const clipSeed = 9_300_101

// tools are the programs that chaos needs.
type tools struct {
	repository, programs, postgres, python, cache string
}

func (t *tools) bind(f *pflag.FlagSet) {
	f.StringVar(&t.repository, "repository", ".", "root of Winnow's tree")
	f.StringVar(&t.programs, "programs", "bin", "folder of winnow, winnow-decode and winnow-infer; in its folder chaos the servers'")
	f.StringVar(&t.postgres, "postgres", "", "folder of PostgreSQL's programs (default: the newest under /usr/lib/postgresql)")
	f.StringVar(&t.python, "python", "python3", "interpreter with numpy and OpenCV, to draw the videos with")
	f.StringVar(&t.cache, "clips", "", "folder that keeps the videos (default: in the user's cache)")
}

// find is where everything lies, or all that is missing, in one line.
func (t *tools) find(state string) (cluster.Config, error) {
	var missing []string
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, what)
		}
	}
	need(os.Geteuid() == 0, "root")
	need(onPath("ip"), "ip (Debian: iproute2)")
	need(onPath("setpriv"), "setpriv (Debian: util-linux)")
	if t.postgres == "" {
		t.postgres = newestPostgres()
	}
	need(isFile(filepath.Join(t.postgres, "initdb")), "PostgreSQL's initdb (Debian: postgresql, or --postgres)")
	programs, err := filepath.Abs(t.programs)
	if err != nil {
		return cluster.Config{}, err
	}
	servers := filepath.Join(programs, "chaos")
	for _, name := range []string{"winnow", "winnow-decode", "winnow-infer"} {
		need(isFile(filepath.Join(programs, name)), filepath.Join(programs, name)+" (make programs)")
	}
	for _, name := range []string{"temporal-server", "temporal-sql-tool", "nats-server", "versitygw"} {
		need(isFile(filepath.Join(servers, name)), filepath.Join(servers, name)+" (make chaos-servers)")
	}
	if len(missing) > 0 {
		return cluster.Config{}, errors.New("missing: " + strings.Join(missing, ", "))
	}
	repository, err := filepath.Abs(t.repository)
	return cluster.Config{State: state, Repository: repository, Programs: programs, Servers: servers, Postgres: t.postgres}, err
}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// newestPostgres is where Debian keeps the programs of the highest version that is installed.
func newestPostgres() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	newest, highest := "", 0
	for _, dir := range dirs {
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && version > highest {
			newest, highest = dir, version
		}
	}
	return newest
}

// clips is the manifest of n videos that are drawn once, one question each.
func (t *tools) clips(ctx context.Context, n int) (manifest string, err error) {
	dir := t.cache
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "winnow", fmt.Sprintf("chaos-%d-%d", n, clipSeed))
	}
	manifest = filepath.Join(dir, "manifest.jsonl") // written last
	if isFile(manifest) {
		return manifest, nil
	}
	fmt.Fprintf(os.Stderr, "drawing %d videos in %s; this takes a while, once\n", n, dir)
	draw := exec.CommandContext(ctx, t.python, filepath.Join(t.repository, "deploy", "bundle", "train", "clips.py"),
		"--out", dir, "--clips", strconv.Itoa(n), "--questions", "1", "--seed", strconv.Itoa(clipSeed), "--small")
	draw.Stdout, draw.Stderr = os.Stderr, os.Stderr
	if err := draw.Run(); err != nil {
		return "", fmt.Errorf("draw the videos (numpy, OpenCV and ffmpeg with x264 and VP9 are needed; --python names an interpreter): %w", err)
	}
	return manifest, nil
}

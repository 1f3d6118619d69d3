package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a process as up.json, children.json and devstack.json name it.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start_time"`
}

// alive says whether that very process runs: a pid comes back, its start time does not.
func (p process) alive() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	return fields[0] != "Z" && fields[19] == p.Start
}

// supervisor is the running `winnow up`, as up.json names it.
func (r *rig) supervisor() (process, bool) {
	var p process
	return p, readJSON(filepath.Join(r.state, "up.json"), &p)
}

// children are what the supervisor started, by name: "devstack", "infer FOLDER".
func (r *rig) children() map[string]process {
	children := map[string]process{}
	readJSON(filepath.Join(r.state, "children.json"), &children)
	return children
}

// running are the children that are alive.
func (r *rig) running() map[string]process {
	children := r.children()
	maps.DeleteFunc(children, func(_ string, p process) bool { return !p.alive() })
	return children
}

// child waits for the running child whose name begins so.
func (r *rig) child(prefix string) process {
	r.t.Helper()
	var found process
	r.eventually("a child "+prefix+" runs", func() bool {
		for name, p := range r.running() {
			if strings.HasPrefix(name, prefix) {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// killDecoder waits for a winnow-decode of the supervisor and kills it; one that
// ends by itself meanwhile does not count.
func (r *rig) killDecoder() {
	r.t.Helper()
	up, ok := r.supervisor()
	if !ok {
		r.t.Fatal("no up.json, want a supervisor to look for decoders under")
	}
	r.eventually("a winnow-decode was killed", func() bool {
		return slices.ContainsFunc(childrenOf(up.PID), func(pid int) bool {
			exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
			return err == nil && filepath.Base(exe) == "winnow-decode" && syscall.Kill(pid, syscall.SIGKILL) == nil
		})
	})
}

// childrenOf lists the processes whose parent is pid.
func childrenOf(pid int) []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var found []int
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// objects are the files of the S3 server's tree that match, by path.
func (r *rig) objects(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(r.state, "s3", "*", pattern))
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// tokens are the stored outputs of the vision encoder.
func (r *rig) tokens() []string { return r.objects("v1/*/tokens/*.safetensors") }

// stamps tell whether files were written again: path to size and time.
func stamps(r *rig, paths []string) map[string]string {
	found := map[string]string{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			r.t.Errorf("%v: want the object to stay", err)
			continue
		}
		found[path] = fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().Format(time.RFC3339Nano))
	}
	return found
}

// readJSON is false where the file is not there or not whole yet.
func readJSON(path string, into any) bool {
	text, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(text, into) == nil
}

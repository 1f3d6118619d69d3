package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const binDir = "../../bin"

// programHelp is what a program says of one of its commands.
func programHelp(t *testing.T, program string, command ...string) string {
	t.Helper()
	path := filepath.Join(binDir, program)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	out, err := exec.Command(path, slices.Concat(command, []string{"-h"})...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v -h: %v: %s", program, command, err, out)
	}
	return string(out)
}

// checkCommand wants words to be a command of one of the programs, with flags that it has.
func checkCommand(t *testing.T, where string, words []string) {
	t.Helper()
	if len(words) == 0 {
		t.Errorf("%s: no command", where)
		return
	}
	program, rest := words[0], words[1:]
	var command []string
	if program == "winnow" {
		if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
			t.Errorf("%s: %v names no command of winnow's", where, words)
			return
		}
		command, rest = rest[:1], rest[1:]
		if !strings.Contains(programHelp(t, program), "\n  "+command[0]+" ") {
			t.Errorf("%s: winnow has no command %s", where, command[0])
			return
		}
	}
	help := programHelp(t, program, command...)
	for _, word := range rest {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && !regexp.MustCompile(`(?m)^ +(-\w, )?`+flag+`\b`).MatchString(help) {
			t.Errorf("%s: %s %v has no flag %s", where, program, command, flag)
		}
	}
}

// TestCommands asks the programs about every command of the chart's pods.
func TestCommands(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		for _, w := range r.workloads() {
			checkCommand(t, w.name, slices.Concat(w.container().Command, w.container().Args))
		}
	})
}

// TestQueues: between them, the workers serve every queue once.
func TestQueues(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`queue to serve: (.*) \(default all\)`).FindStringSubmatch(programHelp(t, "winnow", "worker"))
	if m == nil {
		t.Fatal("winnow worker -h lists no queues")
	}
	want := strings.Split(m[1], ", ")
	var chart, compose []string
	for _, w := range render(t, nil).workloads() {
		for _, arg := range w.container().Args {
			if queue, ok := strings.CutPrefix(arg, "--queue="); ok {
				chart = append(chart, queue)
			}
		}
	}
	for _, service := range composed(t).Services {
		if i := slices.Index(service.Command, "--queue"); i >= 0 {
			compose = append(compose, strings.Split(service.Command[i+1], ",")...)
		}
	}
	slices.Sort(want)
	slices.Sort(chart)
	slices.Sort(compose)
	if !slices.Equal(chart, want) || !slices.Equal(compose, want) {
		t.Errorf("queues are %v; the chart serves %v, compose %v", want, chart, compose)
	}
}

// secret marks settings that have no flag, and stand in no file that is not secret.
const secret = "(no flag: it is a secret)"

var settingLine = regexp.MustCompile(`(?m)^ {2}([a-z0-9_.]+)\n.*\n +\$(WINNOW_[A-Z0-9_]+) +(.*)$`)

// settings are the keys and variables of services outside, as winnow lists them, and whether they are secret.
func settings(t *testing.T) (keys, variables map[string]bool) {
	t.Helper()
	out, err := exec.Command(filepath.Join(binDir, "winnow"), "help", "services").CombinedOutput()
	if err != nil {
		t.Fatalf("winnow help services: %v", err)
	}
	keys, variables = map[string]bool{}, map[string]bool{}
	for _, m := range settingLine.FindAllStringSubmatch(string(out), -1) {
		keys[m[1]], variables[m[2]] = m[3] == secret, m[3] == secret
	}
	if len(keys) < 20 {
		t.Fatalf("winnow help services lists %d settings", len(keys))
	}
	return keys, variables
}

// TestServices: the chart's services are the program's settings, but for the secret ones.
func TestServices(t *testing.T) {
	t.Parallel()
	known, _ := settings(t)
	schema := readJSON(t, filepath.Join(chartDir, "values.schema.json"))
	asked := map[string]bool{}
	leaves(schema["properties"].(map[string]any)["services"].(map[string]any), "", asked)
	for key, secret := range known {
		if asked[key] == secret {
			t.Errorf("%s: secret is %v, in the chart's schema is %v", key, secret, asked[key])
		}
	}
	for key := range asked {
		if _, ok := known[key]; !ok && key != "language_url" { // which is in the file alone
			t.Errorf("the chart knows %s, and the program does not", key)
		}
	}
}

// leaves collects the paths of a schema's properties that have none of their own.
func leaves(schema map[string]any, path string, into map[string]bool) {
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		into[path] = true
	}
	for name, property := range properties {
		leaves(property.(map[string]any), strings.TrimPrefix(path+"."+name, "."), into)
	}
}

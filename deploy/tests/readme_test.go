package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// section is README's part on clusters.
func section(t *testing.T) string {
	t.Helper()
	_, text, _ := strings.Cut(readText(t, filepath.Join(rootDir, "README.md")), "\n## On a cluster\n")
	text, _, found := strings.Cut(text, "\n## ")
	if !found {
		t.Fatal("README.md has no section on clusters")
	}
	return text
}

// blocks are the fenced parts of a language.
func blocks(text, language string) (found []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// ours are files of this repository, as commands name them.
var ours = regexp.MustCompile(`^deploy/(compose|chart|images)(/.*\w)?$`)

// TestReadmeCommands walks the commands that README tells: their files, services, stages and flags exist.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	project := composed(t)
	names := []string{}
	for _, stage := range stages(t) {
		names = append(names, stage.Name)
	}
	commands := strings.ReplaceAll(strings.Join(blocks(section(t), "sh"), "\n"), "\\\n", " ")
	walked := map[string]int{}
	for line := range strings.Lines(commands) {
		words := strings.Fields(regexp.MustCompile(`\s#.*`).ReplaceAllString(line, ""))
		for i, word := range words {
			if ours.MatchString(word) {
				walked["file"]++
				if _, err := os.Stat(filepath.Join(rootDir, word)); err != nil && filepath.Base(word) != ".env" {
					t.Errorf("%s: %v", line, err)
				}
			}
			if i == 0 {
				continue
			}
			switch words[i-1] {
			case "--target":
				walked["stage"]++
				if !slices.Contains(names, word) {
					t.Errorf("%s: no stage %s", line, word)
				}
			case "--rm":
				walked["service"]++
				if _, ok := project.Services[word]; !ok {
					t.Errorf("%s: no service %s", line, word)
				}
			case "--scale":
				service, _, _ := strings.Cut(word, "=")
				if _, ok := project.Services[service]; !ok {
					t.Errorf("%s: no service %s", line, service)
				}
			}
		}
		if own := ofWinnow(words); own != nil {
			walked["program"]++
			checkCommand(t, "README", own)
		}
	}
	if walked["file"] < 5 || walked["stage"] != 3 || walked["service"] < 2 || walked["program"] < 7 {
		t.Errorf("walked %v: this test is broken, or the section is gone", walked)
	}
}

// ofWinnow is the part of a command line that winnow is to do.
func ofWinnow(words []string) []string {
	for i, word := range words {
		told := i == 0 || words[i-1] == "--" || words[i-1] == "cli"
		if word == "winnow" && told {
			return words[i:]
		}
	}
	return nil
}

// TestReadmeValues renders the chart with README's values.
func TestReadmeValues(t *testing.T) {
	t.Parallel()
	found := blocks(section(t), "yaml")
	if len(found) != 1 {
		t.Fatalf("%d examples of values", len(found))
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict([]byte(found[0]), &values); err != nil {
		t.Fatal(err)
	}
	if r := render(t, values); len(r.keda) != 2 {
		t.Errorf("%d objects of KEDA's", len(r.keda))
	}
}

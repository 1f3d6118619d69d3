package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestReadmeFile reads the README's file of services, which is to show every key.
func TestReadmeFile(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## On your own Temporal, NATS and S3\n")
	_, text, _ := strings.Cut(section, "```yaml\n")
	text, _, found := strings.Cut(text, "```")
	if !found {
		t.Fatal("README.md has no file of services")
	}
	for _, s := range append(settings(), languageURL()) {
		if name := s.key[strings.LastIndex(s.key, ".")+1:]; !strings.Contains(text, name) {
			t.Errorf("README's file says nothing of %s", s.key)
		}
	}
	path := filepath.Join(t.TempDir(), "services.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var o Outside
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.Bind(set)
	if err := set.Parse([]string{"--services", path}); err != nil {
		t.Fatal(err)
	}
	services, err := o.Services()
	if err == nil {
		err = services.Validate()
	}
	if err != nil {
		t.Errorf("README's file is refused: %v", err)
	}
}

package stack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/trust"
)

// told is an Outside that was given these flags.
func told(t *testing.T, args ...string) *stack.Outside {
	t.Helper()
	var o stack.Outside
	set := pflag.NewFlagSet(t.Name(), pflag.ContinueOnError)
	o.Bind(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &o
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "services.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNothingIsGiven(t *testing.T) {
	t.Parallel()
	if told(t).Given() {
		t.Error("without flags, variables and file, services outside count as given")
	}
}

// A flag wins over the variable, the variable over the file, value by value.
func TestSources(t *testing.T) {
	path := write(t, `
temporal:
  address: file:7233
  namespace: file
  api_key_file: keys/temporal
  tls: {enabled: true, ca_file: /etc/ca.pem}
nats:
  urls:
    - tls://one:4222
    - tls://two:4222
  user: file
  password: 0123
  replicas: 3
s3: {endpoint: "https://file.example.com", bucket: file, addressing: path, access_key: file}
language_url: http://vllm:8000
`)
	t.Setenv("WINNOW_TEMPORAL_NAMESPACE", "env")
	t.Setenv("WINNOW_NATS_USER", "env")
	t.Setenv("WINNOW_S3_SECRET_KEY", "hidden")
	t.Setenv("WINNOW_S3_REGION", "")
	o := told(t, "--services", path, "--nats-user", "flag", "--s3-endpoint", "http://flag:9000")
	got, err := o.Services()
	if err != nil || !o.Given() {
		t.Fatalf("given %v, error %v", o.Given(), err)
	}
	want := stack.Services{
		V: stack.Version,
		Temporal: stack.Temporal{
			Address: "file:7233", Namespace: "env", APIKeyFile: filepath.Join(filepath.Dir(path), "keys/temporal"),
			TLS: trust.Files{Enabled: true, CA: "/etc/ca.pem"},
		},
		NATS: bus.Config{URL: "tls://one:4222,tls://two:4222", User: "flag", Password: "0123", Replicas: 3},
		S3: s3store.Config{
			Endpoint: "flag:9000", Region: "us-east-1", Bucket: "file", Addressing: s3store.AddressPath,
			AccessKey: "file", SecretKey: "hidden",
		},
		LanguageURL: "http://vllm:8000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("complete services are refused: %v", err)
	}
	wantArgs := []string{"--services=" + path, "--nats-user=flag", "--s3-endpoint=http://flag:9000"}
	if diff := cmp.Diff(wantArgs, o.Args()); diff != "" {
		t.Errorf("flags for a child (-want +got):\n%s", diff)
	}
}

func TestVariableAlone(t *testing.T) {
	t.Setenv("WINNOW_S3_BUCKET", "b")
	if !told(t).Given() {
		t.Error("a variable does not count as given")
	}
}

func TestFileByVariable(t *testing.T) {
	t.Setenv(stack.FileVariable, write(t, "s3: {bucket: b}"))
	got, err := told(t).Services()
	if err != nil || got.S3.Bucket != "b" || got.Temporal.Namespace != "default" {
		t.Errorf("services %+v, %v", got, err)
	}
}

// What is wrong is named by file and line, and no value is shown that may be a secret.
func TestFileRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"unknown group":     {"nats: {user: u}\nreddis:\n  url: hidden\n", ":2: unknown key reddis"},
		"unknown key":       {"s3:\n  bucket: b\n  buket: hidden\n", ":3: unknown key s3.buket"},
		"unknown deep key":  {"temporal:\n  tls:\n    ca: hidden\n", ":3: unknown key temporal.tls.ca"},
		"a value for keys":  {"s3: hidden\n", ":1: want keys below s3"},
		"keys for a value":  {"s3:\n  bucket: {a: hidden}\n", ":2: s3.bucket: want one value"},
		"no number":         {"nats:\n  replicas: many\n", `:2: nats.replicas: "many": want a number`},
		"no truth":          {"temporal:\n  tls:\n    enabled: perhaps\n", `:3: temporal.tls.enabled: "perhaps": want true or false`},
		"no URL":            {"s3:\n  endpoint: host:9000\n", ":2: s3.endpoint: want https://host"},
		"a key in the URL":  {"s3:\n  endpoint: https://hidden:hidden@host\n", ":2: s3.endpoint: leave credentials out"},
		"a list at the top": {"- a\n", ":1: want keys below the file's root"},
		"twice":             {"s3:\n  bucket: a\n  bucket: hidden\n", ":3: "},
		"no YAML":           {"s3: [hidden\n", "not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, test.text)
			_, err := told(t, "--services", path).Services()
			if err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %s%s", err, path, test.want)
			}
			if text := err.Error(); strings.Contains(text, "hidden") || strings.Contains(text, "\n") {
				t.Errorf("the error shows a value, or is no line: %q", text)
			}
		})
	}
	if _, err := told(t, "--services", "nowhere.yaml").Services(); err == nil || !strings.Contains(err.Error(), "open nowhere.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := told(t, "--nats-replicas", "x").Services(); err == nil || !strings.HasPrefix(err.Error(), "--nats-replicas: ") {
		t.Errorf("a flag that cannot be: %v, want its name", err)
	}
}

func TestEmptyFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "temporal:\nnats:\n  user:\n"} {
		if _, err := told(t, "--services", write(t, text)).Services(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// No secret has a flag, for command lines are seen by everybody; all else has one.
func TestSecretsHaveNoFlag(t *testing.T) {
	t.Parallel()
	var o stack.Outside
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.Bind(set)
	for _, name := range []string{"temporal-api-key", "nats-password", "s3-access-key", "s3-secret-key", "s3-session-token"} {
		if set.Lookup(name) != nil {
			t.Errorf("--%s is a flag", name)
		}
	}
	for _, name := range []string{"temporal-tls-ca-file", "nats-creds-file", "s3-bucket"} {
		if !strings.Contains(stack.Help(), "--"+name+"\n") || set.Lookup(name) == nil {
			t.Errorf("--%s is no flag, or help does not list it", name)
		}
	}
	if !strings.Contains(stack.Help(), "$WINNOW_S3_SECRET_KEY  (no flag") {
		t.Errorf("help does not list the variables of secrets:\n%s", stack.Help())
	}
}

func TestPlaceHoldsNoSecret(t *testing.T) {
	t.Parallel()
	s := stack.Services{
		Temporal: stack.Temporal{Address: "t:1", Namespace: "n", APIKey: "hidden"},
		NATS:     bus.Config{URL: "nats://n:1", User: "u", Password: "hidden"},
		S3:       s3store.Config{Endpoint: "s:1", Bucket: "b", AccessKey: "hidden", SecretKey: "hidden"},
	}
	if place := s.Place(); strings.Contains(place, "hidden") || !strings.Contains(place, "http://s:1/b") {
		t.Errorf("place %q", place)
	}
}

func ExampleOutside() {
	var o stack.Outside
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.Bind(set)
	if err := set.Parse([]string{"--s3-endpoint=https://s3.example.com", "--s3-bucket=videos"}); err != nil {
		fmt.Println(err)
	}
	services, err := o.Services()
	fmt.Println(services.S3.URL(), services.S3.Region, err)
	// Output: https://s3.example.com us-east-1 <nil>
}

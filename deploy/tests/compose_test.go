package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	imageref "github.com/distribution/reference"
	"github.com/nats-io/nats-server/v2/server"
	"sigs.k8s.io/yaml"
)

const composeDir = "../compose"

// composed is the project as `docker compose` reads it, with every profile and .env.example's values.
func composed(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(composeDir, "compose.yaml")},
		cli.WithEnvFiles(filepath.Join(composeDir, ".env.example")), cli.WithDotEnv, cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Services) < 15 {
		t.Fatalf("%d services", len(project.Services))
	}
	return project
}

func checkPinned(t *testing.T, where, image string) {
	t.Helper()
	named, err := imageref.ParseNormalizedNamed(image)
	if err != nil {
		t.Errorf("%s: %s: %v", where, image, err)
		return
	}
	tagged, ok := named.(imageref.Tagged)
	if !ok || tagged.Tag() == "latest" || !regexp.MustCompile(`\d|^dev$`).MatchString(tagged.Tag()) {
		t.Errorf("%s: %s is not pinned to a release", where, image)
	}
}

func TestComposeImages(t *testing.T) {
	t.Parallel()
	project := composed(t)
	targets := map[string]bool{}
	for _, stage := range stages(t) {
		targets[stage.Name] = true
	}
	built := map[string]bool{}
	for _, service := range project.Services {
		checkPinned(t, service.Name, service.Image)
		if b := service.Build; b != nil {
			built[service.Image] = true
			if !targets[b.Target] {
				t.Errorf("%s is built to %s, which is no stage", service.Name, b.Target)
			}
			if _, err := os.Stat(filepath.Join(b.Context, b.Dockerfile)); err != nil {
				t.Errorf("%s: %v", service.Name, err)
			}
		}
	}
	for _, service := range project.Services {
		if strings.HasPrefix(service.Image, "winnow") && !built[service.Image] {
			t.Errorf("%s runs %s, which nothing builds", service.Name, service.Image)
		}
	}
}

func TestComposePorts(t *testing.T) {
	t.Parallel()
	taken := map[string]string{}
	for _, service := range composed(t).Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is reached from outside at %s:%s", service.Name, port.HostIP, port.Published)
			}
			if other := taken[port.Published]; other != "" {
				t.Errorf("port %s is %s's and %s's", port.Published, other, service.Name)
			}
			taken[port.Published] = service.Name
		}
	}
	if len(taken) < 5 {
		t.Errorf("ports: %v", taken)
	}
}

// TestComposeVariables: what compose.yaml asks for is in .env.example, and nothing else is.
func TestComposeVariables(t *testing.T) {
	t.Parallel()
	example := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z0-9_]+)=.+$`).FindAllStringSubmatch(readText(t, filepath.Join(composeDir, ".env.example")), -1) {
		example[m[1]] = true
	}
	delete(example, "COMPOSE_PROFILES") // asked by compose itself
	var document map[string]any
	if err := yaml.Unmarshal([]byte(readText(t, filepath.Join(composeDir, "compose.yaml"))), &document); err != nil {
		t.Fatal(err)
	}
	for name := range template.ExtractVariables(document, template.DefaultPattern) {
		if !example[name] {
			t.Errorf("%s is not in .env.example", name)
		}
		delete(example, name)
	}
	if len(example) > 0 {
		t.Errorf("nothing asks for %v", example)
	}
}

func TestComposeCommands(t *testing.T) {
	t.Parallel()
	_, known := settings(t)
	for _, service := range composed(t).Services {
		if !strings.HasPrefix(service.Image, "winnow") {
			continue
		}
		checkCommand(t, service.Name, service.Command)
		for name := range service.Environment {
			if _, ok := known[name]; !ok {
				t.Errorf("%s is told %s, which the programs do not read", service.Name, name)
			}
		}
		if len(service.CapDrop) == 0 || !service.ReadOnly || service.User == "root" {
			t.Errorf("%s keeps privileges", service.Name)
		}
	}
}

// TestComposeFiles: every file that is mounted is there, and shell scripts are shell.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	for _, service := range composed(t).Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: %v", service.Name, err)
			}
		}
	}
	scripts, _ := filepath.Glob(filepath.Join(composeDir, "*", "*.sh"))
	if len(scripts) < 2 {
		t.Errorf("scripts: %v", scripts)
	}
	for _, script := range scripts {
		if out, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
	}
}

// TestNATSConfiguration has the server read its file, as each of the three is started with it.
func TestNATSConfiguration(t *testing.T) {
	project := composed(t)
	for _, name := range []string{"nats-0", "nats-1", "nats-2"} {
		for key, value := range project.Services[name].Environment {
			t.Setenv(key, *value)
		}
		options, err := server.ProcessConfigFile(filepath.Join(composeDir, "nats", "nats.conf"))
		if err != nil {
			t.Fatal(err)
		}
		var routes []string
		for _, route := range options.Routes {
			routes = append(routes, route.Hostname())
		}
		if options.ServerName != name || !slices.Contains(routes, name) || len(routes) != 3 {
			t.Errorf("%s: name %s, routes %v", name, options.ServerName, routes)
		}
		worker := project.Services["worker"].Environment
		if options.Username != *worker["WINNOW_NATS_USER"] || options.Password != *worker["WINNOW_NATS_PASSWORD"] {
			t.Errorf("%s wants other credentials than workers have", name)
		}
		if !options.JetStream || options.HTTPPort != 8222 || !strings.Contains(*worker["WINNOW_NATS_URLS"], fmt.Sprintf("nats://%s:%d", name, options.Port)) {
			t.Errorf("%s: JetStream %v, monitoring %d, workers look at %s", name, options.JetStream, options.HTTPPort, *worker["WINNOW_NATS_URLS"])
		}
	}
}

// TestPrometheus: what is scraped is a service, and Grafana asks that Prometheus.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	project := composed(t)
	var config struct {
		Global        map[string]any `json:"global"`
		ScrapeConfigs []struct {
			JobName       string `json:"job_name"`
			StaticConfigs []struct {
				Targets []string `json:"targets"`
			} `json:"static_configs"`
			DNSConfigs []struct {
				Names    []string `json:"names"`
				Type     string   `json:"type"`
				Port     int      `json:"port"`
				Interval string   `json:"refresh_interval"`
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.UnmarshalStrict([]byte(readText(t, filepath.Join(composeDir, "prometheus", "prometheus.yaml"))), &config); err != nil {
		t.Fatal(err)
	}
	jobs := map[string]bool{}
	for _, scrape := range config.ScrapeConfigs {
		jobs[scrape.JobName] = true
		for _, static := range scrape.StaticConfigs {
			for _, target := range static.Targets {
				host, _, _ := strings.Cut(target, ":")
				if _, ok := project.Services[host]; !ok && host != "localhost" {
					t.Errorf("%s scrapes %s, which is no service", scrape.JobName, target)
				}
			}
		}
		for _, dns := range scrape.DNSConfigs {
			for _, name := range dns.Names {
				if command := project.Services[name].Command; !slices.Contains(command, fmt.Sprintf(":%d", dns.Port)) {
					t.Errorf("%s scrapes %s at %d, which runs %v", scrape.JobName, name, dns.Port, command)
				}
			}
		}
	}
	if !jobs["winnow"] || !jobs["temporal"] || !jobs["nats"] || !jobs["s3"] {
		t.Errorf("jobs: %v", jobs)
	}
	if got := *project.Services["temporal"].Environment["PROMETHEUS_ENDPOINT"]; got != "0.0.0.0:9090" {
		t.Errorf("temporal tells its metrics at %s", got)
	}
}

// TestDashboards: panels lie side by side on Grafana's grid and ask the source that is provisioned.
func TestDashboards(t *testing.T) {
	t.Parallel()
	source := readYAML(t, filepath.Join(composeDir, "grafana", "provisioning", "datasources", "prometheus.yaml"))
	uid := source["datasources"].([]any)[0].(map[string]any)["uid"]
	files, _ := filepath.Glob(filepath.Join(composeDir, "grafana", "dashboards", "*.json"))
	if len(files) == 0 {
		t.Fatal("no dashboards")
	}
	type place struct{ X, Y, W, H int }
	for _, file := range files {
		var dashboard struct {
			UID    string
			Panels []struct {
				Title      string
				GridPos    place
				Datasource struct{ UID string }
				Targets    []struct{ Expr string }
			}
		}
		if err := json.Unmarshal([]byte(readText(t, file)), &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		taken := map[[2]int]string{}
		for _, p := range dashboard.Panels {
			if p.Datasource.UID != uid || len(p.Targets) == 0 || p.Targets[0].Expr == "" {
				t.Errorf("%s: %q asks %v of %v", file, p.Title, p.Targets, p.Datasource)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %q lies over %q", file, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readJSON(t *testing.T, path string) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(readText(t, path)), &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

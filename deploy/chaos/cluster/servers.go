package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Accounts of the servers. Nothing outside of this machine can reach them.
const (
	password  = "chaos-password" // begins with a letter: NATS reads it as a word of its configuration
	accessKey = "chaos"
)

// service is what a host runs.
type service struct {
	args  []string
	env   []string
	ready func(context.Context) error // asked until it is nil; nil for what may come up when it likes

	supervised bool // started again when it ends by itself
}

// services are what the hosts run, by host. Servers are configured by the files
// of deploy/compose, as far as these go.
func (c *Cluster) services() map[string]service {
	all := map[string]service{
		"postgres": c.postgres(),
		"temporal": c.temporal(),
		"s3":       c.s3(),
	}
	for _, name := range NATS {
		all[name] = c.nats(name)
	}
	for _, name := range CPU {
		all[name] = c.worker(name)
	}
	for _, name := range Infer {
		all[name] = c.infer(name)
	}
	return all
}

func (c *Cluster) postgres() service {
	return service{
		args: c.asPostgres("postgres", "-D", c.database(), "-c", "listen_addresses=*", "-k", c.database()),
		ready: func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, filepath.Join(c.config.Postgres, "pg_isready"), "-h", c.host("postgres").Addr, "-U", "temporal", "-d", "postgres")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s", strings.TrimSpace(string(out)))
			}
			return nil
		},
	}
}

func (c *Cluster) database() string { return filepath.Join(c.folder("postgres"), "data") }

// asPostgres is a program of PostgreSQL's as its user: it refuses to be root.
func (c *Cluster) asPostgres(program string, args ...string) []string {
	return append([]string{"setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", filepath.Join(c.config.Postgres, program)}, args...)
}

// initDatabase makes PostgreSQL's folder, with an account for Temporal.
func (c *Cluster) initDatabase(ctx context.Context) error {
	h, secret := c.host("postgres"), filepath.Join(c.folder("postgres"), "password")
	if err := os.WriteFile(secret, []byte(password), 0o644); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "chown", "postgres:", c.folder("postgres")).CombinedOutput(); err != nil {
		return fmt.Errorf("chown: %w: %s", err, out)
	}
	init := c.asPostgres("initdb", "-D", c.database(), "-U", "temporal", "--pwfile", secret, "--auth-host", "scram-sha-256", "--auth-local", "trust", "-E", "UTF8", "--locale", "C")
	if err := c.run(ctx, h, nil, init); err != nil {
		return err
	}
	rules, err := os.OpenFile(filepath.Join(c.database(), "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer rules.Close()
	_, err = fmt.Fprintf(rules, "host all all %s0/24 scram-sha-256\n", subnet)
	return err
}

// initTemporal makes Temporal's databases and brings them to its schema.
func (c *Cluster) initTemporal(ctx context.Context) error {
	psql := c.asPostgres("psql", "-h", c.database(), "-U", "temporal", "-d", "postgres", "-v", "ON_ERROR_STOP=1",
		"-c", "CREATE DATABASE temporal", "-f", c.compose("postgres/visibility.sql"))
	if err := c.run(ctx, c.host("postgres"), nil, psql); err != nil {
		return err
	}
	env := []string{"SQL_PASSWORD=" + password, "PATH=" + c.config.Servers + ":" + os.Getenv("PATH")}
	return c.run(ctx, c.host("temporal"), env, []string{"sh", c.compose("temporal/schema.sh")})
}

func (c *Cluster) temporal() service {
	h := c.host("temporal")
	return service{
		args: []string{filepath.Join(c.config.Servers, "temporal-server"), "--allow-no-auth", "start"},
		env: []string{
			"DB=postgres12", "DB_PORT=5432", "POSTGRES_SEEDS=postgres", "POSTGRES_USER=temporal", "POSTGRES_PWD=" + password,
			"BIND_ON_IP=" + h.Addr, "DYNAMIC_CONFIG_FILE_PATH=" + c.compose("temporal/dynamicconfig.yaml"), "LOG_LEVEL=warn",
		},
		ready: func(ctx context.Context) error { return makeNamespace(ctx, h.Addr+":7233") },
	}
}

// makeNamespace makes Winnow's namespace unless there is one. It is ready once
// workflows can be listed there: the server learns of a namespace some time after making it.
func makeNamespace(ctx context.Context, address string) error {
	conn, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: namespace})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if _, exists := err.(*serviceerror.NamespaceAlreadyExists); err != nil && !exists {
		return err
	}
	_, err = conn.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1})
	return err
}

func (c *Cluster) nats(name string) service {
	return service{
		args: []string{filepath.Join(c.config.Servers, "nats-server"), "--config", c.compose("nats/nats.conf"), "--store_dir", c.folder(name)},
		env:  []string{"SERVER_NAME=" + name, "NATS_PASSWORD=" + password},
		ready: func(ctx context.Context) error {
			return answers(ctx, "http://"+c.host(name).Addr+":8222/healthz") // 200 once the cluster of three has a leader
		},
	}
}

func (c *Cluster) s3() service {
	return service{
		args: []string{filepath.Join(c.config.Servers, "versitygw"), "--quiet", "--access-log", c.AccessLog(), "posix", c.objects()},
		env: []string{
			"VGW_PORT=:7070", "VGW_REGION=us-east-1", "VGW_HEALTH=/health",
			"ROOT_ACCESS_KEY_ID=" + accessKey, "ROOT_SECRET_ACCESS_KEY=" + password,
		},
		ready: func(ctx context.Context) error { return answers(ctx, "http://"+c.host("s3").Addr+":7070/health") },
	}
}

func (c *Cluster) objects() string { return filepath.Join(c.folder("s3"), "objects") }

// AccessLog is S3's account of every request that it has ended.
func (c *Cluster) AccessLog() string { return filepath.Join(c.config.State, "logs", "s3-access.log") }

func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, reply.Status)
	}
	return nil
}

func (c *Cluster) compose(file string) string {
	return filepath.Join(c.config.Repository, "deploy", "compose", file)
}

// natsURLs names every server, by a function of its host.
func (c *Cluster) natsURLs(of func(Host) string) string {
	var urls []string
	for _, name := range NATS {
		urls = append(urls, "nats://"+net.JoinHostPort(of(c.host(name)), "4222"))
	}
	return strings.Join(urls, ",")
}

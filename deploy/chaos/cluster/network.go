package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Of the network that is kept for benchmarks (RFC 2544), so that it is nobody else's.
const (
	subnet  = "198.18.77."
	gateway = subnet + "1" // the bridge's own address, by which this process reaches every host
	bridge  = "winnow-chaos"
)

// hostsDir holds what `ip netns exec` shows a namespace's processes in place of /etc.
const hostsDir = "/etc/netns"

// Host is one machine of the cluster: a network namespace with an address of its own.
type Host struct {
	Name string
	Addr string
	link string // its end of the cable at the bridge
}

func newHost(i int, name string) Host {
	return Host{Name: name, Addr: subnet + strconv.Itoa(10+i), link: fmt.Sprintf("wchaos%d", i)}
}

func (h Host) namespace() string { return "winnow-chaos-" + h.Name }

// lay makes the bridge and a namespace for every host, cabled to it, where each
// finds the others by name.
func lay(ctx context.Context, hosts []Host) error {
	steps := []string{
		"link add " + bridge + " type bridge",
		"addr add " + gateway + "/24 dev " + bridge,
		"link set " + bridge + " up",
	}
	for _, h := range hosts {
		ns := h.namespace()
		steps = append(steps,
			"netns add "+ns,
			"link add "+h.link+" type veth peer name eth0 netns "+ns,
			"link set "+h.link+" master "+bridge+" up",
			"-n "+ns+" addr add "+h.Addr+"/24 dev eth0",
			"-n "+ns+" link set eth0 up",
			"-n "+ns+" link set lo up",
		)
		if err := writeNames(h, hosts); err != nil {
			return err
		}
	}
	for _, step := range steps {
		if err := ip(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

func writeNames(h Host, hosts []Host) error {
	text := "127.0.0.1 localhost\n"
	for _, other := range hosts {
		text += other.Addr + " " + other.Name + "\n"
	}
	dir := filepath.Join(hostsDir, h.namespace())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "hosts"), []byte(text), 0o644)
}

// clear ends every process of the hosts' namespaces and takes the network down,
// whether this process made it or one before.
func clear(ctx context.Context, hosts []Host) error {
	var errs []error
	for _, h := range hosts {
		ns := h.namespace()
		there := exists("/run/netns/" + ns)
		if there {
			errs = append(errs, endAll(ctx, ns))
		}
		errs = append(errs, deleteLink(ctx, h.link))
		if there {
			errs = append(errs, ip(ctx, "netns del "+ns))
		}
		errs = append(errs, os.RemoveAll(filepath.Join(hostsDir, ns)))
	}
	return errors.Join(append(errs, deleteLink(ctx, bridge))...)
}

// deleteLink deletes a cable or the bridge, if it is there. A namespace's end takes its
// cable along only some time later.
func deleteLink(ctx context.Context, name string) error {
	if !exists("/sys/class/net/" + name) {
		return nil
	}
	return ip(ctx, "link del "+name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// endAll kills what runs in a namespace of ours, and waits for its end.
func endAll(ctx context.Context, ns string) error {
	for ctx.Err() == nil {
		pids, err := processesIn(ctx, ns)
		if len(pids) == 0 || err != nil {
			return err
		}
		for _, pid := range pids {
			kill(pid)
		}
		pause(ctx)
	}
	return ctx.Err()
}

func processesIn(ctx context.Context, ns string) ([]int, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "pids", ns).Output()
	if err != nil {
		return nil, fmt.Errorf("ip netns pids %s: %w", ns, err)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("ip netns pids %s: %w", ns, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Cut pulls the host's cable: what is sent to it or by it is lost without a word.
func (c *Cluster) Cut(ctx context.Context, name string) error {
	return ip(ctx, "link set "+c.host(name).link+" down")
}

// Mend plugs it in again.
func (c *Cluster) Mend(ctx context.Context, name string) error {
	return ip(ctx, "link set "+c.host(name).link+" up")
}

func ip(ctx context.Context, args string) error {
	if out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}

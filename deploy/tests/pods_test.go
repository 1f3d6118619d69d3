package tests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestPods(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		for _, w := range r.workloads() {
			if len(w.pod.Containers) != 1 {
				t.Fatalf("%s has %d containers", w.name, len(w.pod.Containers))
			}
			checkSecurity(t, w)
			checkResources(t, w)
			checkGrace(t, w)
			checkMounts(t, w)
			if tag := w.container().Image[strings.LastIndex(w.container().Image, ":")+1:]; tag == "" || tag == "latest" {
				t.Errorf("%s runs %s", w.name, w.container().Image)
			}
			checkProbes(t, w)
		}
	})
}

// checkProbes wants those who serve to be asked where they answer, and where Prometheus is sent.
func checkProbes(t *testing.T, w workload) {
	t.Helper()
	c := w.container()
	if !w.serves {
		if c.LivenessProbe != nil || c.ReadinessProbe != nil || len(c.Ports) > 0 {
			t.Errorf("%s does not serve, and is probed", w.name)
		}
		return
	}
	if len(c.Ports) != 1 || !slices.Contains(c.Args, fmt.Sprintf("--metrics=:%d", c.Ports[0].ContainerPort)) {
		t.Errorf("%s: ports %v, told %v", w.name, c.Ports, c.Args)
		return
	}
	for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != c.Ports[0].Name {
			t.Errorf("%s: %s is asked by %v", w.name, path, probe)
		}
	}
	if told, ok := w.annotations["prometheus.io/port"]; ok && told != fmt.Sprint(c.Ports[0].ContainerPort) {
		t.Errorf("%s: Prometheus is sent to port %s", w.name, told)
	}
}

func checkSecurity(t *testing.T, w workload) {
	t.Helper()
	pod, c := w.pod.SecurityContext, w.container().SecurityContext
	switch {
	case pod == nil || c == nil:
		t.Errorf("%s has no security context", w.name)
	case !*pod.RunAsNonRoot || !*c.RunAsNonRoot || *pod.RunAsUser != imageUser:
		t.Errorf("%s may run as root, or as another than the image's user", w.name)
	case !*c.ReadOnlyRootFilesystem:
		t.Errorf("%s writes to its root filesystem", w.name)
	case *c.AllowPrivilegeEscalation || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}):
		t.Errorf("%s keeps privileges", w.name)
	case pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Errorf("%s runs without a seccomp profile", w.name)
	case *w.pod.AutomountServiceAccountToken:
		t.Errorf("%s has a token of the cluster's API, which nothing here asks", w.name)
	}
}

func checkResources(t *testing.T, w workload) {
	t.Helper()
	got := w.container().Resources
	if got.Requests.Cpu().IsZero() || got.Requests.Memory().IsZero() || got.Limits.Memory().IsZero() {
		t.Errorf("%s: resources %v", w.name, got)
	}
	if got.Requests.Memory().Cmp(*got.Limits.Memory()) > 0 {
		t.Errorf("%s asks for more memory than it may have", w.name)
	}
	onGPU := strings.Contains(w.container().Image, "cuda")
	gpus := got.Limits["nvidia.com/gpu"]
	if onGPU == gpus.IsZero() && !strings.HasSuffix(w.name, "-decode") {
		t.Errorf("%s: image %s with %v GPUs", w.name, w.container().Image, &gpus)
	}
}

// checkGrace compares the time to end with the longest stage: decoding's default, and what
// winnow-infer is told.
func checkGrace(t *testing.T, w workload) {
	t.Helper()
	grace := time.Duration(*w.pod.TerminationGracePeriodSeconds) * time.Second
	if longest := (job.Spec{}).WithDefaults().Limits.Wall; grace <= longest {
		t.Errorf("%s has %v to end, and decoding may take %v", w.name, grace, longest)
	}
	for _, arg := range w.container().Args {
		for _, flag := range []string{"--limit=", "--drain="} {
			if text, ok := strings.CutPrefix(arg, flag); ok {
				if took, err := time.ParseDuration(text); err != nil || grace <= took {
					t.Errorf("%s has %v to end, and %s", w.name, grace, arg)
				}
			}
		}
	}
}

// checkMounts wants every volume mounted, and room to write where the programs write.
func checkMounts(t *testing.T, w workload) {
	t.Helper()
	writable := map[string]bool{}
	mounted := map[string]bool{}
	for _, m := range w.container().VolumeMounts {
		mounted[m.Name] = true
		writable[m.MountPath] = !m.ReadOnly
	}
	for _, v := range w.pod.Volumes {
		if !mounted[v.Name] {
			t.Errorf("%s does not mount %s", w.name, v.Name)
		}
		delete(mounted, v.Name)
	}
	if len(mounted) > 0 {
		t.Errorf("%s mounts %v, which are no volumes", w.name, mounted)
	}
	for _, path := range []string{imageFolder, "/tmp"} {
		if !writable[path] {
			t.Errorf("%s cannot write to %s", w.name, path)
		}
	}
}

// TestCache: who serves is told of a cache where there is a volume for it, with room for what it may hold.
func TestCache(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		for _, w := range r.workloads() {
			var path string
			for _, m := range w.container().VolumeMounts {
				if m.Name == "cache" {
					path = m.MountPath
				}
			}
			if want := asked(r, "cache") && w.serves; want != (path != "") || want != slices.Contains(w.container().Args, "--cache="+path) {
				t.Errorf("%s: cache at %q, told %v", w.name, path, w.container().Args)
			}
			for _, arg := range w.container().Args {
				if text, ok := strings.CutPrefix(arg, "--cache-bytes="); ok {
					bytes, err := strconv.ParseInt(text, 10, 64)
					if room := cacheRoom(w); err != nil || bytes <= 0 || bytes >= room {
						t.Errorf("%s: %s in a volume of %d (%v)", w.name, arg, room, err)
					}
				}
			}
		}
	})
}

// cacheRoom is the size of the cache's volume, in bytes.
func cacheRoom(w workload) int64 {
	for _, v := range w.pod.Volumes {
		if v.Name == "cache" {
			return v.EmptyDir.SizeLimit.Value()
		}
	}
	return 0
}

package tests

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const (
	chartDir = "../chart"
	release  = "winnow"
)

// valuesFiles are the ways in which the chart is tried, by name; default is no values at all.
func valuesFiles(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("values files: %v, %v", files, err)
	}
	all := map[string]map[string]any{"default": {}}
	for _, file := range files {
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = readYAML(t, file)
	}
	return all
}

func readYAML(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := yaml.UnmarshalStrict(text, &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// renderText renders the chart as `helm install` does, schema and all.
func renderText(values map[string]any) (map[string]string, common.Values, error) {
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, nil, err
	}
	options := common.ReleaseOptions{Name: release, Namespace: "video", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, options, nil)
	if err != nil {
		return nil, nil, err
	}
	files, err := engine.Engine{}.RenderWithContext(context.Background(), chart, all)
	return files, all["Values"].(common.Values), err
}

// rendering is what the chart makes of some values.
type rendering struct {
	values  common.Values
	objects []runtime.Object
	keda    []map[string]any // KEDA's, of which Kubernetes has no types
}

var documents = regexp.MustCompile(`(?m)^---\s*$`)

// render decodes every object strictly: unknown and doubled fields are errors.
func render(t *testing.T, values map[string]any) rendering {
	t.Helper()
	files, all, err := renderText(values)
	if err != nil {
		t.Fatal(err)
	}
	r := rendering{values: all}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for _, text := range documents.Split(files[name], -1) {
			r.add(t, name, text)
		}
	}
	if len(r.objects) < 5 {
		t.Fatalf("%d objects: rendering is broken", len(r.objects))
	}
	return r
}

var strict = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

func (r *rendering) add(t *testing.T, name, text string) {
	t.Helper()
	var head struct{ metav1.TypeMeta }
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	switch {
	case head.Kind == "":
	case strings.HasPrefix(head.APIVersion, "keda.sh/"):
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		r.keda = append(r.keda, object)
	default:
		object, _, err := strict.Decode([]byte(text), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		r.objects = append(r.objects, object)
	}
}

func of[T runtime.Object](r rendering) (found []T) {
	for _, object := range r.objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// workload is something that makes pods.
type workload struct {
	name      string
	component string
	labels    map[string]string // of its pods
	pod       corev1.PodSpec
	serves    bool // runs for good

	annotations map[string]string // of its pods
}

func (w workload) container() corev1.Container { return w.pod.Containers[0] }

func (r rendering) workloads() (found []workload) {
	add := func(o runtime.Object, template metav1.ObjectMeta, pod corev1.PodSpec, serves bool) {
		m, _ := meta.Accessor(o)
		found = append(found, workload{m.GetName(), template.Labels["app.kubernetes.io/component"], template.Labels, pod, serves, template.Annotations})
	}
	for _, object := range r.objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			add(o, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec, true)
		case *batchv1.Job:
			add(o, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec, false)
		case *batchv1.CronJob:
			add(o, o.Spec.JobTemplate.Spec.Template.ObjectMeta, o.Spec.JobTemplate.Spec.Template.Spec, false)
		case *corev1.Pod:
			add(o, o.ObjectMeta, o.Spec, false)
		}
	}
	return found
}

// each runs check on every rendering.
func each(t *testing.T, check func(*testing.T, rendering)) {
	t.Parallel()
	for name, values := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, render(t, values))
		})
	}
}

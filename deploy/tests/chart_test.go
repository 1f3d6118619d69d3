package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

func TestLint(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range valuesFiles(t) {
		for _, message := range lint.RunAll(dir, values, "video").Messages {
			if message.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, message)
			}
		}
	}
}

func TestObjects(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		seen := map[string]bool{}
		for _, object := range r.objects {
			m, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprintf("%T %s", object, m.GetName())
			if seen[key] {
				t.Errorf("%s stands twice", key)
			}
			seen[key] = true
			if errs := validation.IsDNS1123Label(m.GetName()); len(errs) > 0 {
				t.Errorf("%s: %v", key, errs)
			}
			if m.GetNamespace() != "" {
				t.Errorf("%s names a namespace: that is for --namespace to say", key)
			}
			for name, value := range m.GetLabels() {
				if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
					t.Errorf("%s: label %s: %v", key, name, errs)
				}
			}
		}
	})
}

func TestSelectors(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		for _, d := range of[*appsv1.Deployment](r) {
			got := selected(t, r, d.Spec.Selector)
			if len(got) != 1 || got[0].name != d.Name {
				t.Errorf("deployment %s selects the pods of %v", d.Name, got)
			}
		}
		budgeted, walled := map[string]int{}, map[string]int{}
		for _, b := range of[*policyv1.PodDisruptionBudget](r) {
			for _, w := range selected(t, r, b.Spec.Selector) {
				budgeted[w.name]++
			}
		}
		for _, p := range of[*networkingv1.NetworkPolicy](r) {
			for _, w := range selected(t, r, &p.Spec.PodSelector) {
				walled[w.name]++
			}
		}
		for _, w := range r.workloads() {
			if want := asked(r, "podDisruptionBudget") && w.serves; (budgeted[w.name] == 1) != want {
				t.Errorf("%s has %d disruption budgets", w.name, budgeted[w.name])
			}
			if want := asked(r, "networkPolicy"); (walled[w.name] == 1) != want {
				t.Errorf("%s has %d network policies", w.name, walled[w.name])
			}
		}
	})
}

func asked(r rendering, feature string) bool {
	return r.values[feature].(map[string]any)["enabled"].(bool)
}

func selected(t *testing.T, r rendering, by *metav1.LabelSelector) (found []workload) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range r.workloads() {
		if selector.Matches(labels.Set(w.labels)) {
			found = append(found, w)
		}
	}
	return found
}

// TestSchemaRefuses tries values that are wrong, one at a time.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct{ values, says string }{
		{`replicas: 3`, "replicas"},
		{`device: tpu`, "device"},
		{`images: {tag: latest}`, "tag"},
		{`longestStageSeconds: 0`, "longestStageSeconds"},
		{`longestStageSeconds: 7200`, "longestStageSeconds"},
		{`workers: {decode: {replicas: -1}}`, "replicas"},
		{`workers: {encode: {replicas: 1}}`, "encode"},
		{`workers: {main: {resources: {limit: {cpu: 1}}}}`, "limit"},
		{`infer: {demo: {digest: ee7104651b62}}`, "bundle"},
		{`infer: {demo: {bundle: /bundles/demo, digest: EE71}}`, "digest"},
		{`infer: {Demo: {bundle: /bundles/demo}}`, "Demo"},
		{`services: {temporal: {address: "https://temporal"}}`, "address"},
		{`services: {nats: {urls: ["nats://user:password@nats:4222"]}}`, "urls"},
		{`services: {nats: {password: secret}}`, "password"},
		{`services: {s3: {secret_key: secret}}`, "secret_key"},
		{`services: {s3: {addressing: both}}`, "addressing"},
		{`secrets: {password: secret}`, "password"},
		{`gc: {clips: 1 day}`, "clips"},
		{`cache: {gibibytes: 0}`, "gibibytes"},
		{`scratch: {sizeLimit: 20GB}`, "sizeLimit"},
		{`metrics: {port: 80}`, "port"},
		{`autoscaling: {temporalSecrets: [{parameter: token, name: a, key: b}]}`, "parameter"},
		{`bundles: {volume: {hostPath: {path: /bundles}}}`, "volume"}, // beside the default's claim
	} {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(wrong.values), &values); err != nil {
			t.Fatal(err)
		}
		_, _, err := renderText(values)
		if err == nil {
			t.Errorf("%s: accepted", wrong.values)
		} else if !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("%s: the error says nothing of %s: %v", wrong.values, wrong.says, err)
		}
	}
}

func TestAutoscalingNeedsDigest(t *testing.T) {
	t.Parallel()
	_, _, err := renderText(map[string]any{
		"autoscaling": map[string]any{"enabled": true},
		"infer":       map[string]any{"demo": map[string]any{"bundle": "/bundles/demo"}},
	})
	if err == nil || !strings.Contains(err.Error(), "infer.demo.digest") {
		t.Errorf("got %v, want a word about infer.demo.digest", err)
	}
}

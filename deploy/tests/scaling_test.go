package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// scaledObject is the part of KEDA's that is checked by hand.
type scaledObject struct {
	Metadata struct{ Name string }
	Spec     struct {
		ScaleTargetRef  struct{ Name string }
		CooldownPeriod  int64
		MinReplicaCount *int
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior struct {
					ScaleDown struct{ StabilizationWindowSeconds int64 }
				}
			}
		}
		Triggers []trigger
	}
}

type trigger struct {
	Type     string
	Metadata map[string]string
}

func scaledObjects(t *testing.T, r rendering) (found []scaledObject) {
	t.Helper()
	for _, object := range r.keda {
		if object["kind"] != "ScaledObject" {
			continue
		}
		var s scaledObject
		text, err := json.Marshal(object)
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, s)
	}
	return found
}

// TestScaling: KEDA has what is to scale to itself, and takes nothing away from a running stage.
func TestScaling(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		scaled := map[string]scaledObject{}
		for _, s := range scaledObjects(t, r) {
			scaled[s.Spec.ScaleTargetRef.Name] = s
		}
		for _, d := range of[*appsv1.Deployment](r) {
			s, by := scaled[d.Name]
			delete(scaled, d.Name)
			if by == (d.Spec.Replicas != nil) {
				t.Errorf("%s: replicas %v, scaled by KEDA: %v", d.Name, d.Spec.Replicas, by)
			}
			if !by {
				continue
			}
			if s.Spec.MinReplicaCount == nil || *s.Spec.MinReplicaCount != 0 {
				t.Errorf("%s does not scale to zero", d.Name)
			}
			grace := *d.Spec.Template.Spec.TerminationGracePeriodSeconds
			if s.Spec.CooldownPeriod < grace || s.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleDown.StabilizationWindowSeconds < grace {
				t.Errorf("%s is scaled in before what runs may have ended", d.Name)
			}
		}
		for name := range scaled {
			t.Errorf("KEDA is to scale %s, which there is not", name)
		}
		if want := r.values["autoscaling"].(map[string]any)["enabled"].(bool); want != (len(r.keda) > 0) {
			t.Errorf("autoscaling is %v, and there are %d objects of KEDA's", want, len(r.keda))
		}
	})
}

// TestTriggers: decoding by its queue, inference by all of its consumers and the queue of those who wait.
func TestTriggers(t *testing.T) {
	t.Parallel()
	r := render(t, valuesFiles(t)["keda"])
	triggers := map[string][]trigger{}
	for _, s := range scaledObjects(t, r) {
		triggers[s.Metadata.Name] = s.Spec.Triggers
	}
	queue := func(name string) string { return "temporal winnow " + name }
	want := map[string][]string{
		"winnow-decode":      {queue("winnow-decode")},
		"winnow-infer-demo":  append(durables("ee7104651b62"), queue("winnow-call")),
		"winnow-infer-other": append(durables("0123456789ab"), queue("winnow-call")),
	}
	help := programHelp(t, "winnow", "worker")
	for name, expected := range want {
		var got []string
		for _, one := range triggers[name] {
			m := one.Metadata
			switch one.Type {
			case "temporal":
				got = append(got, queue(m["taskQueue"]))
				if m["namespace"] != "winnow" || m["queueTypes"] != "activity" || !strings.Contains(help, m["taskQueue"]) {
					t.Errorf("%s: %v", name, m)
				}
			case "nats-jetstream":
				got = append(got, m["stream"]+" "+m["consumer"])
			}
		}
		slices.Sort(got)
		slices.Sort(expected)
		if !slices.Equal(got, expected) {
			t.Errorf("%s is scaled by\n%v, want\n%v", name, got, expected)
		}
	}
}

// durables are the consumers of a bundle, as the bus makes them.
func durables(bundle string) (names []string) {
	for _, stage := range []job.Stage{job.StageEncode, job.StageAnswer} {
		for priority := range 3 {
			names = append(names, bus.InferStream+" "+bus.Class{Stage: stage, Bundle: bundle, Priority: priority}.Durable())
		}
	}
	return names
}

// TestKEDASchemas holds KEDA's objects against its own definitions, strictly, and their triggers
// against the parameters that its scalers read.
func TestKEDASchemas(t *testing.T) {
	t.Parallel()
	dir := moduleDir(t, "github.com/kedacore/keda/v2")
	schemas := map[string]*jsonschema.Schema{
		"ScaledObject":          definition(t, filepath.Join(dir, "config/crd/bases/keda.sh_scaledobjects.yaml")),
		"TriggerAuthentication": definition(t, filepath.Join(dir, "config/crd/bases/keda.sh_triggerauthentications.yaml")),
	}
	parameters := scalerParameters(t, filepath.Join(dir, "schema/generated/scalers-schema.json"))
	r := render(t, valuesFiles(t)["keda"])
	for _, object := range r.keda {
		schema := schemas[object["kind"].(string)]
		if schema == nil {
			t.Fatalf("no definition of %v", object["kind"])
		}
		if err := schema.Validate(plain(t, object)); err != nil {
			t.Errorf("%v: %v", object["metadata"], err)
		}
	}
	for _, s := range scaledObjects(t, r) {
		for _, one := range s.Spec.Triggers {
			for name := range one.Metadata {
				if !parameters[one.Type][name] {
					t.Errorf("%s: KEDA's %s knows no %s", s.Metadata.Name, one.Type, name)
				}
			}
		}
	}
	wrong := map[string]any{"spec": map[string]any{"scaleTargetRef": map[string]any{"named": "x"}, "triggers": []any{}}}
	if err := schemas["ScaledObject"].Validate(wrong); err == nil {
		t.Error("the definition accepts anything")
	}
}

// moduleDir is where a module of go.mod lies.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if dir := strings.TrimSpace(string(out)); err == nil && dir != "" {
		return dir
	}
	if out, err = exec.Command("go", "mod", "download", "-json", module).Output(); err != nil {
		t.Fatalf("go mod download %s: %v", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil || found.Dir == "" {
		t.Fatalf("go mod download %s: %v: %s", module, err, out)
	}
	return found.Dir
}

// definition compiles the schema of a custom resource; what it does not name is refused.
func definition(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil || len(crd.Spec.Versions) == 0 {
		t.Fatalf("%s: %v", path, err)
	}
	root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	closeObjects(root)
	properties := root["properties"].(map[string]any)
	properties["metadata"] = map[string]any{"type": "object"} // Kubernetes' own, checked with its objects
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("crd.json", plain(t, root)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("crd.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func closeObjects(schema map[string]any) {
	properties, named := schema["properties"].(map[string]any)
	if _, says := schema["additionalProperties"]; named && !says && schema["x-kubernetes-preserve-unknown-fields"] != true {
		schema["additionalProperties"] = false
	}
	for _, property := range properties {
		closeObjects(property.(map[string]any))
	}
	for _, below := range []string{"items", "additionalProperties"} {
		if inner, ok := schema[below].(map[string]any); ok {
			closeObjects(inner)
		}
	}
}

// plain is value as a JSON decoder makes it, which is what schemas are held against.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// scalerParameters are the names of what KEDA's triggers say, by their type. Deprecated ones count as unknown.
func scalerParameters(t *testing.T, path string) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Scalers []struct {
			Type       string
			Parameters []struct {
				Name       string
				Deprecated string
			}
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	known := map[string]map[string]bool{}
	for _, scaler := range all.Scalers {
		known[scaler.Type] = map[string]bool{}
		for _, p := range scaler.Parameters {
			known[scaler.Type][p.Name] = p.Deprecated == ""
		}
	}
	return known
}

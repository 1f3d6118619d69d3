package tests

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// reference is a name that an object says something by.
type reference struct{ kind, name string }

// TestReferences wants everything that is named to be rendered, or to be said to exist.
func TestReferences(t *testing.T) {
	each(t, func(t *testing.T, r rendering) {
		there := r.declared()
		for _, config := range of[*corev1.ConfigMap](r) {
			there[reference{"ConfigMap", config.Name}] = true
		}
		for _, secret := range of[*corev1.Secret](r) {
			there[reference{"Secret", secret.Name}] = true
		}
		for _, account := range of[*corev1.ServiceAccount](r) {
			there[reference{"ServiceAccount", account.Name}] = true
		}
		for _, w := range r.workloads() {
			for _, named := range w.references() {
				if !there[named] {
					t.Errorf("%s names %s %s, which is neither made nor said to exist", w.name, named.kind, named.name)
				}
			}
		}
		for _, object := range r.keda {
			for _, named := range secretsOf(object) {
				if !there[named] {
					t.Errorf("a TriggerAuthentication names Secret %s", named.name)
				}
			}
		}
	})
}

// declared is what the values say exists.
func (r rendering) declared() map[reference]bool {
	there := map[reference]bool{
		{"Secret", r.values["existingSecret"].(string)}: true,
		{"Secret", r.values["filesSecret"].(string)}:    true,
	}
	images, account := r.values["images"].(map[string]any), r.values["serviceAccount"].(map[string]any)
	for _, pull := range images["pullSecrets"].([]any) {
		there[reference{"Secret", pull.(map[string]any)["name"].(string)}] = true
	}
	if !account["create"].(bool) {
		there[reference{"ServiceAccount", account["name"].(string)}] = true
	}
	volume := r.values["bundles"].(map[string]any)["volume"].(map[string]any)
	if claim, ok := volume["persistentVolumeClaim"].(map[string]any); ok {
		there[reference{"PersistentVolumeClaim", claim["claimName"].(string)}] = true
	}
	delete(there, reference{"Secret", ""})
	return there
}

func (w workload) references() []reference {
	named := []reference{{"ServiceAccount", w.pod.ServiceAccountName}}
	for _, pull := range w.pod.ImagePullSecrets {
		named = append(named, reference{"Secret", pull.Name})
	}
	for _, volume := range w.pod.Volumes {
		switch {
		case volume.ConfigMap != nil:
			named = append(named, reference{"ConfigMap", volume.ConfigMap.Name})
		case volume.Secret != nil:
			named = append(named, reference{"Secret", volume.Secret.SecretName})
		case volume.PersistentVolumeClaim != nil:
			named = append(named, reference{"PersistentVolumeClaim", volume.PersistentVolumeClaim.ClaimName})
		}
	}
	for _, from := range w.container().EnvFrom {
		if from.SecretRef != nil {
			named = append(named, reference{"Secret", from.SecretRef.Name})
		}
		if from.ConfigMapRef != nil {
			named = append(named, reference{"ConfigMap", from.ConfigMapRef.Name})
		}
	}
	for _, variable := range w.container().Env {
		if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil {
			named = append(named, reference{"Secret", from.SecretKeyRef.Name})
		}
	}
	return named
}

func secretsOf(object map[string]any) (named []reference) {
	spec := object["spec"].(map[string]any)
	refs, _ := spec["secretTargetRef"].([]any)
	for _, ref := range refs {
		named = append(named, reference{"Secret", ref.(map[string]any)["name"].(string)})
	}
	return named
}

package tests

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// TestReach wants every pod to reach the ports that its program speaks to, and no others, and
// to be reached at its metrics alone.
func TestReach(t *testing.T) {
	t.Parallel()
	const dns, temporal, nats, s3, web = 53, 7233, 4222, 7070, 443
	for _, c := range []struct {
		values, component string
		tcp               []int32
	}{
		{"cpu", "main", []int32{dns, temporal, nats, s3, web}},
		{"cpu", "call", []int32{dns, temporal, nats, s3}},
		{"cpu", "decode", []int32{dns, temporal, nats, s3, web}},
		{"cpu", "infer-demo", []int32{dns, nats, s3}},
		{"cpu", "tools", []int32{dns, temporal, nats, s3}},
		{"cuda", "infer-clip", []int32{dns, nats, s3}},
		{"cuda", "infer-remote", []int32{dns, nats, s3, 8000}},
		{"existing-secrets", "call", []int32{dns, 80, temporal, nats, 4223, 443}},
		{"existing-secrets", "infer-demo", []int32{dns, 80, nats, 4223, 443}},
	} {
		r := render(t, valuesFiles(t)[c.values])
		p := policyOf(t, r, c.component)
		slices.Sort(c.tcp)
		if got := reachable(p); !slices.Equal(got, c.tcp) {
			t.Errorf("%s: %s reaches %v, want %v", c.values, c.component, got, c.tcp)
		}
		if !reachedAtMetrics(p.Spec.Ingress, c.component != "tools") || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			t.Errorf("%s: %s may be reached: %v, %v", c.values, c.component, p.Spec.PolicyTypes, p.Spec.Ingress)
		}
	}
}

// reachedAtMetrics says whether a pod may be reached at the port of metrics and no
// other; one that has none, not at all.
func reachedAtMetrics(rules []networkingv1.NetworkPolicyIngressRule, has bool) bool {
	if !has {
		return len(rules) == 0
	}
	return len(rules) == 1 && len(rules[0].Ports) == 1 && rules[0].Ports[0].Port.IntVal == 9464
}

func policyOf(t *testing.T, r rendering, component string) *networkingv1.NetworkPolicy {
	t.Helper()
	for _, p := range of[*networkingv1.NetworkPolicy](r) {
		if p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] == component {
			return p
		}
	}
	t.Fatalf("no network policy for %s", component)
	return nil
}

func reachable(p *networkingv1.NetworkPolicy) (tcp []int32) {
	for _, rule := range p.Spec.Egress {
		if len(rule.Ports) == 0 {
			return nil // any port
		}
		for _, port := range rule.Ports {
			if *port.Protocol == corev1.ProtocolTCP {
				tcp = append(tcp, port.Port.IntVal)
			}
		}
	}
	slices.Sort(tcp)
	return tcp
}

// TestPeers: only videos at https:// go out into the world, and not to private addresses.
func TestPeers(t *testing.T) {
	t.Parallel()
	r := render(t, valuesFiles(t)["existing-secrets"])
	var toNATS, toWeb *networkingv1.IPBlock
	for _, rule := range policyOf(t, r, "decode").Spec.Egress {
		for _, peer := range rule.To {
			switch rule.Ports[0].Port.IntVal {
			case 4222:
				toNATS = peer.IPBlock
			case 443:
				toWeb = peer.IPBlock
			}
		}
	}
	if toNATS == nil || toNATS.CIDR != "10.1.0.0/16" {
		t.Errorf("NATS's peers: %v", toNATS)
	}
	if toWeb == nil || !slices.Contains(toWeb.Except, "169.254.0.0/16") || !slices.Contains(toWeb.Except, "10.0.0.0/8") {
		t.Errorf("the web's peers: %v", toWeb)
	}
}

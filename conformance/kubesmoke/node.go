package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

const (
	nodeName = "smoke-node"
	// leaseRenewal and heartbeat are how often the node renews its Lease and writes its status. A kubelet takes 10 s
	// and up to 5 min; a node is lost after 50 s.
	leaseRenewal = 3 * time.Second
	heartbeat    = 10 * time.Second
)

// node is a Node without a machine: it plays the kubelet's part in the API, with a kubelet's certificate and rights,
// so that pods are scheduled, become ready and can be deleted.
type node struct {
	name string
	api  *api
	pods *reflector
}

// newNode makes a node that talks to the API server as system:node:<name>.
func newNode(a *api) *node {
	n := &node{name: nodeName, api: a}
	n.pods = &reflector{api: a, path: "/api/v1/pods", fields: "spec.nodeName=" + nodeName, changed: n.tendPods}
	return n
}

// register creates the Node.
func (n *node) register(ctx context.Context) error {
	labels := map[string]string{"kubernetes.io/hostname": n.name, "kubernetes.io/os": "linux"}
	o := object{APIVersion: "v1", Kind: "Node", Metadata: metadata{Name: n.name, Labels: labels}}
	if err := n.api.create(ctx, "/api/v1/nodes", o, nil); err != nil {
		return err
	}
	return n.reportStatus(ctx)
}

// run keeps the node alive until ctx ends. Errors are left to the next round, as a kubelet does: if they last, the
// node is lost and the checks on pods say so.
func (n *node) run(ctx context.Context) {
	go n.pods.run(ctx)
	go func() {
		for {
			_ = n.reportStatus(ctx)
			if !pause(ctx, heartbeat) {
				return
			}
		}
	}()
	for {
		_ = n.renewLease(ctx)
		// What failed when a pod's event came is done again here.
		n.tendPods(ctx)
		if !pause(ctx, leaseRenewal) {
			return
		}
	}
}

func (n *node) reportStatus(ctx context.Context) error {
	now := time.Now().UTC().Format(time.RFC3339)
	resources := map[string]string{"cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "100Gi"}
	return n.api.patch(ctx, "/api/v1/nodes/"+n.name+"/status", map[string]any{"status": map[string]any{
		"capacity":    resources,
		"allocatable": resources,
		"conditions": []map[string]string{{
			"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubesmoke plays the kubelet",
			"lastHeartbeatTime": now, "lastTransitionTime": now,
		}},
	}})
}

func (n *node) renewLease(ctx context.Context) error {
	const folder = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
	spec, err := json.Marshal(map[string]any{
		"holderIdentity":       n.name,
		"leaseDurationSeconds": 40,
		"renewTime":            time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
	})
	if err != nil {
		return err
	}
	lease := object{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Metadata: metadata{Name: n.name}, Spec: spec}
	err = n.api.patch(ctx, folder+"/"+n.name, lease)
	if refused(err, 404) {
		err = n.api.create(ctx, folder, lease, nil)
	}
	return err
}

// tendPods runs the pods that are bound to the node, and lets go of those that are to be deleted.
func (n *node) tendPods(ctx context.Context) {
	pods, _ := n.pods.snapshot()
	for _, pod := range pods {
		path := "/api/v1/namespaces/" + pod.Metadata.Namespace + "/pods/" + pod.Metadata.Name
		if pod.Metadata.DeletionTimestamp != "" {
			// The UID: a namesake that came meanwhile must not be hit.
			_ = n.api.do(ctx, "DELETE", path, jsonType, map[string]any{
				"gracePeriodSeconds": 0,
				"preconditions":      map[string]string{"uid": pod.Metadata.UID},
			}, nil)
			continue
		}
		if phase(pod) == "Pending" {
			_ = n.api.patch(ctx, path+"/status", runningStatus())
		}
	}
}

func runningStatus() map[string]any {
	now := time.Now().UTC().Format(time.RFC3339)
	condition := func(name string) map[string]string {
		return map[string]string{"type": name, "status": "True", "lastTransitionTime": now}
	}
	return map[string]any{"status": map[string]any{
		"phase":     "Running",
		"startTime": now,
		// PodScheduled is the scheduler's: a merge patch replaces the list, so it is said again.
		"conditions": []map[string]string{condition("PodScheduled"), condition("Initialized"), condition("ContainersReady"), condition("Ready")},
	}}
}

// phase is a pod's status.phase.
func phase(pod object) string {
	var status struct{ Phase string }
	if err := json.Unmarshal(pod.Status, &status); err != nil {
		return fmt.Sprintf("unreadable: %v", err)
	}
	return status.Phase
}

// untainted returns an error while the controller manager does not take the node for ready.
func untainted(n object) error {
	var spec struct{ Taints []struct{ Key string } }
	if err := json.Unmarshal(n.Spec, &spec); err != nil {
		return err
	}
	if len(spec.Taints) > 0 {
		return fmt.Errorf("node has the taint %s", spec.Taints[0].Key)
	}
	return nil
}

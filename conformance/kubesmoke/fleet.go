package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

const (
	// fleetRenewal and fleetHeartbeat are a kubelet's own.
	fleetRenewal   = 10 * time.Second
	fleetHeartbeat = 5 * time.Minute
	// fleetHands is how many requests about pods are under way at once.
	fleetHands = 32
)

// fleet is many Nodes without machines: what their kubelets write is written by the administrator, as kwok does it.
// A pod that is bound to one of them is read and becomes Running; one that is to go is let go.
type fleet struct {
	api   *api
	nodes []*node
	hands chan struct{}

	mu   sync.Mutex
	done map[string]bool // what was done to pods: a word and the UID
}

func newFleet(a *api, nodes int) *fleet {
	f := &fleet{api: a, hands: make(chan struct{}, fleetHands), done: make(map[string]bool)}
	for i := range nodes {
		f.nodes = append(f.nodes, &node{name: fmt.Sprintf("node-%03d", i), api: a})
	}
	return f
}

// register makes the Nodes and keeps all alive until ctx ends. Their rounds are spread over the interval.
func (f *fleet) register(ctx context.Context) error {
	for i, n := range f.nodes {
		if err := n.register(ctx); err != nil {
			return fmt.Errorf("register %s: %w", n.name, err)
		}
		share := time.Duration(i) * fleetRenewal / time.Duration(len(f.nodes))
		go every(ctx, share, fleetRenewal, n.renewLease)
		go every(ctx, share*(fleetHeartbeat/fleetRenewal)+fleetRenewal, fleetHeartbeat, n.reportStatus)
	}
	return nil
}

// every does something after a delay and then in an interval until ctx ends. What fails is done again in the next round.
func every(ctx context.Context, delay, interval time.Duration, do func(context.Context) error) {
	if !pause(ctx, delay) {
		return
	}
	for {
		_ = do(ctx)
		if !pause(ctx, interval) {
			return
		}
	}
}

// tend follows all pods until ctx ends.
func (f *fleet) tend(ctx context.Context) error {
	var pods list
	if err := f.api.get(ctx, "/api/v1/pods", &pods); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		f.look(ctx, pod)
	}
	version := pods.Metadata.ResourceVersion
	for ctx.Err() == nil {
		err := f.api.watch(ctx, "/api/v1/pods", url.Values{"resourceVersion": {version}}, func(e event) error {
			version = e.Object.Metadata.ResourceVersion
			if e.Type == "ADDED" || e.Type == "MODIFIED" {
				f.look(ctx, e.Object)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnded) && ctx.Err() == nil {
			return fmt.Errorf("watch pods: %w", err)
		}
	}
	return nil
}

// look does what a kubelet would do about a pod, once, in a goroutine of its own.
func (f *fleet) look(ctx context.Context, pod object) {
	var spec struct{ NodeName string }
	if json.Unmarshal(pod.Spec, &spec) != nil || spec.NodeName == "" {
		return
	}
	path := "/api/v1/namespaces/" + pod.Metadata.Namespace + "/pods/" + pod.Metadata.Name
	switch {
	case pod.Metadata.DeletionTimestamp != "":
		f.once(ctx, "go "+pod.Metadata.UID, func() error {
			return f.api.do(ctx, "DELETE", path, jsonType, map[string]any{
				"gracePeriodSeconds": 0, "preconditions": map[string]string{"uid": pod.Metadata.UID},
			}, nil)
		})
	case phase(pod) == "Pending":
		f.once(ctx, "run "+pod.Metadata.UID, func() error {
			// A kubelet reads the pod before it writes the status, past the API server's cache.
			if err := f.api.get(ctx, path, nil); err != nil {
				return err
			}
			return f.api.patch(ctx, path+"/status", f.running(pod))
		})
	}
}

// once does something that was not done yet. If it fails, the next event of the pod does it again.
func (f *fleet) once(ctx context.Context, what string, do func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done[what] {
		return
	}
	f.done[what] = true
	go func() {
		select {
		case f.hands <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-f.hands }()
		if err := do(); err != nil && !refused(err, 404) {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.done, what)
		}
	}()
}

// running is the status of a pod that runs, with an address of its own, so that it is a Service's endpoint.
func (f *fleet) running(pod object) map[string]any {
	f.mu.Lock()
	n := len(f.done)
	f.mu.Unlock()
	ip := fmt.Sprintf("10.%d.%d.%d", 128+n>>16&0x7f, n>>8&0xff, n&0xff)
	status := runningStatus()
	inner, ok := status["status"].(map[string]any)
	if ok {
		inner["podIP"], inner["podIPs"], inner["hostIP"] = ip, []map[string]string{{"ip": ip}}, "192.0.2.2"
		inner["containerStatuses"] = []map[string]any{{
			"name": "main", "image": "kubesmoke.invalid/pause", "imageID": "kubesmoke.invalid/pause@sha256:" + pod.Metadata.UID,
			"containerID": "containerd://" + pod.Metadata.UID, "ready": true, "started": true, "restartCount": 0,
			"state": map[string]any{"running": map[string]string{"startedAt": time.Now().UTC().Format(time.RFC3339)}},
		}}
	}
	return status
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/bench/recorder"
)

const (
	recordedNodes       = 100
	recordedDeployments = 10
	recordedReplicas    = 50 // of each
	recordedNamespace   = "load"
	// phaseLimit bounds a phase, phaseRest is how long all comes to rest after it.
	phaseLimit = 4 * time.Minute
	phaseRest  = 3 * time.Second
)

// recording deploys, rolls and deletes many pods on an etcd, and notes what the API server asks of that.
type recording struct {
	*cluster
	proxy *recorder.Proxy
	fleet *fleet
}

// recordLoad writes a recording, for the bench to make the same requests of other stores.
func recordLoad(ctx context.Context, o options) (err error) {
	if err := adoptOrphans(); err != nil {
		return err
	}
	o.store = "etcd"
	run, err := findPrograms(o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kubesmoke-record-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			fmt.Println("kubesmoke: data and logs are in", dir)
		}
	}()
	s, err := newEtcd(dir, run.store)
	if err != nil {
		return err
	}
	s.Args = append(s.Args, "--watch-progress-notify-interval=10m") // etcd's default
	proxy, err := recorder.Start(strings.TrimPrefix(s.endpoint, "http://"))
	if err != nil {
		return err
	}
	defer proxy.Close()
	s.endpoint = proxy.URL()
	c, err := newCluster(dir, run, s)
	if err != nil {
		return err
	}
	// What the checks change is the API server's default again.
	c.apiserver.Args = append(c.apiserver.Args, "--etcd-compaction-interval=5m", "--event-ttl=1h")
	c.apiserver.Env = nil
	ctx, cancel := context.WithCancel(ctx)
	defer func() { err = errors.Join(err, errors.Join(c.stop()...)) }()
	defer cancel()
	r := &recording{cluster: c, proxy: proxy, fleet: newFleet(c.api, recordedNodes)}
	if err := r.phases(ctx); err != nil {
		return err
	}
	return r.write(o.record)
}

// phases does what is recorded.
func (r *recording) phases(ctx context.Context) error {
	for _, p := range []struct {
		name string
		do   func(context.Context) error
	}{{"start", r.start}, {"deploy", r.deploy}, {"roll", r.roll}, {"delete", r.remove}} {
		r.proxy.Phase(p.name)
		took, err := timed(func() error { return p.do(ctx) })
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Printf("kubesmoke: %s took %s\n", p.name, short(took))
		if !pause(ctx, phaseRest) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// start brings the control plane and the nodes up, and makes a namespace with Services.
func (r *recording) start(ctx context.Context) error {
	if err := r.store.up(ctx); err != nil {
		return err
	}
	if _, err := r.startAPIServer(ctx); err != nil {
		return err
	}
	if err := r.startControllers(ctx); err != nil {
		return err
	}
	if err := r.fleet.register(ctx); err != nil {
		return err
	}
	go func() {
		if err := r.fleet.tend(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "kubesmoke:", err)
		}
	}()
	namespace := object{APIVersion: "v1", Kind: "Namespace", Metadata: metadata{Name: recordedNamespace}}
	if err := r.api.create(ctx, "/api/v1/namespaces", namespace, nil); err != nil {
		return err
	}
	return until(ctx, phaseLimit, "nodes and namespace are ready", func(ctx context.Context) error {
		if err := r.api.get(ctx, "/api/v1/namespaces/"+recordedNamespace+"/serviceaccounts/default", nil); err != nil {
			return err
		}
		var nodes list
		if err := r.api.get(ctx, "/api/v1/nodes?resourceVersion=0", &nodes); err != nil {
			return err
		}
		for _, n := range nodes.Items {
			if err := untainted(n); err != nil {
				return err
			}
		}
		return nil
	})
}

const deployments = "/apis/apps/v1/namespaces/" + recordedNamespace + "/deployments"

func (r *recording) deploy(ctx context.Context) error {
	for i := range recordedDeployments {
		name := fmt.Sprint("web-", i)
		service := map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": metadata{Name: name},
			"spec": map[string]any{"selector": map[string]string{"app": name}, "ports": []map[string]any{{"port": 80}}},
		}
		if err := r.api.do(ctx, "POST", "/api/v1/namespaces/"+recordedNamespace+"/services", jsonType, service, nil); err != nil {
			return err
		}
		labels := map[string]string{"app": name}
		deployment := map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata{Name: name, Labels: labels},
			"spec": map[string]any{
				"replicas": recordedReplicas, "selector": map[string]any{"matchLabels": labels},
				"template": map[string]any{
					"metadata": metadata{Labels: labels},
					"spec": map[string]any{"containers": []map[string]any{{
						"name": "main", "image": "kubesmoke.invalid/pause",
						"env":       []map[string]string{{"name": "GREETING", "value": "hello"}},
						"resources": map[string]any{"requests": map[string]string{"cpu": "100m", "memory": "64Mi"}},
					}}},
				},
			},
		}
		if err := r.api.do(ctx, "POST", deployments, jsonType, deployment, nil); err != nil {
			return err
		}
	}
	return r.settled(ctx, 1)
}

// roll changes the pods' template, so that all are replaced.
func (r *recording) roll(ctx context.Context) error {
	for i := range recordedDeployments {
		change := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]string{"rolled": "once"},
		}}}}
		if err := r.api.patch(ctx, fmt.Sprint(deployments, "/web-", i), change); err != nil {
			return err
		}
	}
	return r.settled(ctx, 2)
}

// settled waits until all replicas of a generation are available, and no others are left.
func (r *recording) settled(ctx context.Context, generation int64) error {
	return until(ctx, phaseLimit, "all pods are available", func(ctx context.Context) error {
		var all list
		if err := r.api.get(ctx, deployments+"?resourceVersion=0", &all); err != nil {
			return err
		}
		for _, d := range all.Items {
			var status struct {
				ObservedGeneration                           int64
				Replicas, UpdatedReplicas, AvailableReplicas int
			}
			if err := json.Unmarshal(d.Status, &status); err != nil {
				return err
			}
			if status.ObservedGeneration < generation || status.Replicas != recordedReplicas ||
				status.UpdatedReplicas != recordedReplicas || status.AvailableReplicas != recordedReplicas {
				return fmt.Errorf("%s is at %+v", d.Metadata.Name, status)
			}
		}
		return nil
	})
}

func (r *recording) remove(ctx context.Context) error {
	for i := range recordedDeployments {
		name := fmt.Sprint("web-", i)
		if err := r.api.delete(ctx, deployments+"/"+name); err != nil {
			return err
		}
		if err := r.api.delete(ctx, "/api/v1/namespaces/"+recordedNamespace+"/services/"+name); err != nil {
			return err
		}
	}
	return until(ctx, phaseLimit, "all pods are gone", func(ctx context.Context) error {
		var pods list
		if err := r.api.get(ctx, "/api/v1/namespaces/"+recordedNamespace+"/pods?resourceVersion=0", &pods); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d are left", len(pods.Items))
		}
		return nil
	})
}

// write makes the file and says what is in it.
func (r *recording) write(path string) error {
	about := fmt.Sprintf("kube-apiserver of %s, etcd: %d nodes, %d Deployments of %d pods", time.Now().Format(time.DateOnly),
		recordedNodes, recordedDeployments, recordedReplicas)
	recorded, err := r.proxy.Trace(about)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	if err := errors.Join(recorded.Encode(f), f.Close()); err != nil {
		return err
	}
	phases, counts := recorded.Counts()
	for _, phase := range phases {
		fmt.Printf("%-8s %v\n", phase, counts[phase])
	}
	fmt.Printf("%d requests in %v are in %s\n", len(recorded.Requests), recorded.Duration().Round(time.Second), path)
	return nil
}

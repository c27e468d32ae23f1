package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

const (
	// serverStartLimit bounds the start of a part of the control plane, on a machine that is busy building.
	serverStartLimit = 3 * time.Minute
	// compactionInterval makes the API server compact the store many times in a run; its default is 5 minutes.
	compactionInterval = 20 * time.Second
	// eventTTL is how long the API server keeps Events; its default is an hour.
	eventTTL = 30 * time.Second
)

// programs are the paths of what is run.
type programs struct {
	store, apiserver, controllerManager, scheduler, kubectl, etcdctl string
}

// cluster is a control plane on a store, with one node.
type cluster struct {
	store             *store
	apiserver         *rig.Process
	controllerManager *rig.Process
	scheduler         *rig.Process
	etcdctl           string // path of the program, to look into the store past the API server
	programs          programs

	server  string // https://host:port of the API server
	api     *api   // as administrator
	kubectl *kubectl
	node    *node
	// health of controller manager and scheduler: URLs by name
	health map[string]string
}

// newCluster writes what the programs need into dir and starts nothing.
func newCluster(dir string, run programs, s *store) (*cluster, error) {
	ca, err := newAuthority(dir)
	if err != nil {
		return nil, err
	}
	port, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	c := &cluster{store: s, programs: run, etcdctl: run.etcdctl, server: fmt.Sprintf("https://127.0.0.1:%d", port), health: map[string]string{}}
	if err := c.people(dir, run.kubectl, ca); err != nil {
		return nil, err
	}
	serving, err := ca.server("serving")
	if err != nil {
		return nil, err
	}
	// The key that signs the tokens of ServiceAccounts needs no certificate; it gets one all the same.
	tokens, err := ca.client("service-accounts", "service-accounts")
	if err != nil {
		return nil, err
	}
	c.apiserver = newProcess(dir, "kube-apiserver", run.apiserver, c.apiserverFlags(port, ca, serving, tokens)...)
	// Every 5 minutes or so the API server compares its cache with the store; a difference shall end it, loudly.
	c.apiserver.Env = []string{"KUBE_WATCHCACHE_CONSISTENCY_CHECKER=true"}
	c.controllerManager, err = c.client(dir, run.controllerManager, "kube-controller-manager", ca, serving,
		"--use-service-account-credentials",
		"--service-account-private-key-file", tokens.key,
		"--root-ca-file", ca.path())
	if err != nil {
		return nil, err
	}
	c.scheduler, err = c.client(dir, run.scheduler, "kube-scheduler", ca, serving)
	return c, err
}

// people makes those who talk to the API server from here: the administrator, with and without kubectl, and the node.
func (c *cluster) people(dir, kubectlPath string, ca *authority) error {
	admin, err := ca.client("admin", "kubesmoke-admin", "system:masters")
	if err != nil {
		return err
	}
	if c.api, err = newAPI(c.server, ca.path(), admin); err != nil {
		return err
	}
	kubeconfig := filepath.Join(dir, "admin.kubeconfig")
	if err := writeKubeconfig(kubeconfig, c.server, ca.path(), admin); err != nil {
		return err
	}
	c.kubectl = newKubectl(dir, kubectlPath, kubeconfig)
	kubelet, err := ca.client("node", "system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	asNode, err := newAPI(c.server, ca.path(), kubelet)
	if err != nil {
		return err
	}
	c.node = newNode(asNode)
	return nil
}

// apiserverFlags are those of a secured API server on the loopback address.
func (c *cluster) apiserverFlags(port int, ca *authority, serving, tokens identity) []string {
	return []string{
		"--etcd-servers", c.store.endpoint,
		"--etcd-compaction-interval", compactionInterval.String(),
		"--event-ttl", eventTTL.String(),
		"--bind-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(port),
		// Written into the kubernetes Service's endpoints, under a lease that is renewed all the time. Nobody
		// connects to it: an address for documentation, since one of loopback is refused.
		"--advertise-address", "192.0.2.1",
		"--tls-cert-file", serving.cert, "--tls-private-key-file", serving.key,
		"--client-ca-file", ca.path(),
		"--authorization-mode", "Node,RBAC",
		"--enable-admission-plugins", "NodeRestriction",
		"--service-cluster-ip-range", "10.96.0.0/16",
		"--service-account-issuer", "https://kubesmoke.invalid",
		"--service-account-key-file", tokens.cert,
		"--service-account-signing-key-file", tokens.key,
	}
}

// client describes a program that elects a leader and works through the API server as system:<name>.
func (c *cluster) client(dir, path, name string, ca *authority, serving identity, more ...string) (*rig.Process, error) {
	port, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	id, err := ca.client(name, "system:"+name)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(dir, name+".kubeconfig")
	if err := writeKubeconfig(kubeconfig, c.server, ca.path(), id); err != nil {
		return nil, err
	}
	c.health[name] = fmt.Sprintf("https://127.0.0.1:%d/healthz", port)
	return newProcess(dir, name, path, append([]string{
		"--kubeconfig", kubeconfig,
		"--bind-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(port),
		"--tls-cert-file", serving.cert, "--tls-private-key-file", serving.key,
		// By default a leader that cannot renew for 10 s ends and the kubelet starts it again. There is no kubelet
		// here, and an end shall mean a fault, so it may outlast a disruption.
		"--leader-elect-lease-duration", "2m",
		"--leader-elect-renew-deadline", "100s",
	}, more...)...), nil
}

// processes lists all of them, those that need others first: the order in which to stop.
func (c *cluster) processes() []*rig.Process {
	return []*rig.Process{c.scheduler, c.controllerManager, c.apiserver, c.store.Process}
}

// alive returns an error if a process has ended by itself.
func (c *cluster) alive() error {
	for _, p := range c.processes() {
		if err := ended(p); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the API server says that it and the store are ready.
func (c *cluster) ready(ctx context.Context, limit time.Duration) error {
	return until(ctx, limit, "kube-apiserver becomes ready", func(ctx context.Context) error {
		if err := ended(c.apiserver); err != nil {
			return err
		}
		return httpOK(ctx, c.api.http, c.server+"/readyz")
	})
}

// startControllers starts controller manager and scheduler and waits until both say that they are healthy.
func (c *cluster) startControllers(ctx context.Context) error {
	for _, p := range []*rig.Process{c.controllerManager, c.scheduler} {
		if err := p.Start(); err != nil {
			return err
		}
	}
	for _, p := range []*rig.Process{c.controllerManager, c.scheduler} {
		err := until(ctx, serverStartLimit, p.Name+" becomes healthy", func(ctx context.Context) error {
			if err := ended(p); err != nil {
				return err
			}
			return httpOK(ctx, c.api.http, c.health[p.Name])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// startNode registers the node and keeps it alive until ctx ends.
func (c *cluster) startNode(ctx context.Context) error {
	if err := c.node.register(ctx); err != nil {
		return fmt.Errorf("register the node: %w", err)
	}
	go c.node.run(ctx)
	return until(ctx, serverStartLimit, "the node becomes ready and untainted", func(ctx context.Context) error {
		var got object
		if err := c.api.get(ctx, "/api/v1/nodes/"+nodeName, &got); err != nil {
			return err
		}
		return untainted(got)
	})
}

// stop ends everything that runs.
func (c *cluster) stop() []error {
	var errs []error
	for _, p := range c.processes() {
		if err := stop(p); err != nil {
			errs = append(errs, err)
		}
	}
	c.api.http.CloseIdleConnections()
	return errs
}

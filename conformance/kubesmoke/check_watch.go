package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// watchLimit is how long an event may take to arrive.
const watchLimit = 30 * time.Second

// checkWatch: a watch shows each change once and in order; one that starts in the middle shows exactly the rest; and
// one that asks for the initial events gets what is there, the bookmark that ends them, and then the changes.
func (c *cluster) checkWatch(ctx context.Context) (string, error) {
	const ns = "smoke-watch"
	if err := c.kubectl.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	var start list
	if err := c.api.get(ctx, configMaps(ns), &start); err != nil {
		return "", err
	}
	want, err := c.makeHistory(ctx, ns)
	if err != nil {
		return "", err
	}
	all, err := c.events(ctx, ns, since(start.Metadata.ResourceVersion), len(want))
	if err != nil {
		return "", err
	}
	if err := sameEvents(all, want); err != nil {
		return "", err
	}
	middle := len(want) / 2
	rest, err := c.events(ctx, ns, since(all[middle-1].Object.Metadata.ResourceVersion), len(want)-middle)
	if err != nil {
		return "", err
	}
	if err := sameEvents(rest, want[middle:]); err != nil {
		return "", fmt.Errorf("resumed in the middle: %w", err)
	}
	return fmt.Sprintf("%d events", len(want)), c.checkInitialEvents(ctx, ns)
}

// makeHistory writes and returns what a watch has to show, as "<type> <name> <step>".
func (c *cluster) makeHistory(ctx context.Context, ns string) ([]string, error) {
	var want []string
	for i := range 10 {
		name := fmt.Sprintf("h-%d", i)
		path := configMaps(ns) + "/" + name
		if err := c.api.create(ctx, configMaps(ns), configMap(ns, name, map[string]string{"step": "1"}), nil); err != nil {
			return nil, err
		}
		if err := c.api.patch(ctx, path, map[string]any{"data": map[string]string{"step": "2"}}); err != nil {
			return nil, err
		}
		want = append(want, "ADDED "+name+" 1", "MODIFIED "+name+" 2")
		if i%2 == 1 {
			if err := c.api.delete(ctx, path); err != nil {
				return nil, err
			}
			want = append(want, "DELETED "+name+" 2")
		}
	}
	return want, nil
}

// events returns the first n events of a namespace's ConfigMaps, bookmarks and the cluster's CA left out.
func (c *cluster) events(ctx context.Context, ns string, query url.Values, n int) ([]event, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, watchLimit, fmt.Errorf("fewer than %d events within %v", n, watchLimit))
	defer cancel()
	var got []event
	for len(got) < n {
		err := c.api.watch(ctx, configMaps(ns), query, func(e event) error {
			query = since(e.Object.Metadata.ResourceVersion) // should the server end the stream
			if e.Type == "BOOKMARK" || e.Object.Metadata.Name == "kube-root-ca.crt" {
				return nil
			}
			if got = append(got, e); len(got) == n {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnded) {
			return got, fmt.Errorf("after %d of %d events: %w", len(got), n, err)
		}
	}
	return got, nil
}

// sameEvents compares events with the words of makeHistory, and wants their versions to rise.
func sameEvents(got []event, want []string) error {
	var words []string
	last := int64(0)
	for _, e := range got {
		words = append(words, e.Type+" "+e.Object.Metadata.Name+" "+e.Object.Data["step"])
		now, err := revision(e.Object.Metadata.ResourceVersion)
		if err != nil {
			return err
		}
		if now <= last {
			return fmt.Errorf("version %d after %d", now, last)
		}
		last = now
	}
	if !slices.Equal(words, want) {
		return fmt.Errorf("events %q, not %q", words, want)
	}
	return nil
}

// checkInitialEvents is the streamed list of client-go's informers: WatchList.
func (c *cluster) checkInitialEvents(ctx context.Context, ns string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, watchLimit, fmt.Errorf("no end of the initial events within %v", watchLimit))
	defer cancel()
	listed, err := c.listed(ctx, ns)
	if err != nil {
		return err
	}
	held := versions{}
	query := url.Values{"sendInitialEvents": {"true"}, "resourceVersionMatch": {"NotOlderThan"}, "allowWatchBookmarks": {"true"}}
	err = c.api.watch(ctx, configMaps(ns), query, func(e event) error {
		if e.Type == "BOOKMARK" && e.Object.Metadata.Annotations["k8s.io/initial-events-end"] == "true" {
			return errEnough
		}
		if e.Type == "ADDED" {
			held[e.Object.Metadata.Name] = e.Object.Metadata.ResourceVersion
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("initial events: %w", err)
	}
	return difference("the initial events", "a list", held, versionsOf(listed))
}

// checkKubectlWatch: kubectl get -w prints the events as they come.
func (c *cluster) checkKubectlWatch(ctx context.Context) (string, error) {
	const ns = "smoke-kubectl-watch"
	if err := c.kubectl.all(ctx, "create namespace "+ns, "-n "+ns+" create configmap there"); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, watchLimit, fmt.Errorf("not all lines within %v", watchLimit))
	defer cancel() // ends kubectl
	cmd := exec.CommandContext(ctx, c.kubectl.path, c.kubectl.arguments(strings.Fields(
		"-n "+ns+" get configmap --field-selector metadata.name!=kube-root-ca.crt -w --output-watch-events --no-headers"))...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := rig.StartOnLastingThread(cmd); err != nil {
		return "", err
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	// Each line is due before the next change is made.
	for _, s := range []struct{ command, want string }{
		{"", "ADDED there 0"},
		{"create configmap one --from-literal=a=1", "ADDED one 1"},
		{"patch configmap one -p {\"data\":{\"b\":\"2\"}}", "MODIFIED one 2"},
		{"delete configmap one", "DELETED one 2"},
	} {
		if s.command != "" {
			if err := c.kubectl.all(ctx, "-n "+ns+" "+s.command); err != nil {
				return "", err
			}
		}
		if !lines.Scan() {
			return "", fmt.Errorf("kubectl get -w ended before %q: %w", s.want, context.Cause(ctx))
		}
		if got := strings.Fields(lines.Text()); len(got) < 3 || strings.Join(got[:3], " ") != s.want {
			return "", fmt.Errorf("kubectl get -w printed %q, not %q", lines.Text(), s.want)
		}
	}
	return "4 lines", nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// convergeLimit is how long a follower may need to see what is there.
const convergeLimit = 30 * time.Second

// versions maps names to resourceVersions.
type versions map[string]string

// listed reads a namespace's ConfigMaps with a list that must be consistent, having no version.
func (c *cluster) listed(ctx context.Context, namespace string) (map[string]object, error) {
	var got list
	if err := c.api.get(ctx, configMaps(namespace), &got); err != nil {
		return nil, err
	}
	return byName(got.Items), nil
}

func byName(objects []object) map[string]object {
	m := make(map[string]object, len(objects))
	for _, o := range objects {
		m[o.Metadata.Name] = o
	}
	return m
}

func versionsOf(objects map[string]object) versions {
	v := versions{}
	for name, o := range objects {
		v[name] = o.Metadata.ResourceVersion
	}
	return v
}

// stored reads keys and revisions below a prefix from the store itself, past the API server and its cache. Names
// are what follows the prefix.
func (c *cluster) stored(ctx context.Context, prefix string) (versions, error) {
	out, err := exec.CommandContext(ctx, c.etcdctl, "--endpoints", c.store.endpoint, "get", prefix, "--prefix", "--keys-only", "-w", "json").Output()
	if err != nil {
		return nil, fmt.Errorf("etcdctl get %s: %w", prefix, err)
	}
	var got struct {
		KVs []struct {
			Key         []byte
			ModRevision json.Number `json:"mod_revision"`
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return nil, fmt.Errorf("etcdctl get %s: %w in %s", prefix, err, out)
	}
	v := versions{}
	for _, kv := range got.KVs {
		v[strings.TrimPrefix(string(kv.Key), prefix)] = kv.ModRevision.String()
	}
	return v, nil
}

// difference says where two views of the same objects differ, nil if nowhere.
func difference(one, other string, a, b versions) error {
	names := maps.Clone(a)
	maps.Copy(names, b)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			errs = append(errs, fmt.Errorf("%s: version %q in %s, %q in %s", name, a[name], one, b[name], other))
		}
	}
	return firstOf(errs, 5)
}

// agree checks that the store, lists and a follower show the same objects at the same versions. Nobody may write.
func (c *cluster) agree(ctx context.Context, namespace string, listed map[string]object, follower *reflector) error {
	stored, err := c.stored(ctx, "/registry/configmaps/"+namespace+"/")
	if err != nil {
		return err
	}
	want := versionsOf(listed)
	if err := difference("the store", "a list", stored, want); err != nil {
		return err
	}
	return until(ctx, convergeLimit, "a follower of the watch catches up", func(context.Context) error {
		held, fault := follower.snapshot()
		if fault != nil {
			return hopeless{fault}
		}
		return difference("the follower", "a list", versionsOf(held), want)
	})
}

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
)

const (
	pagedObjects = 250
	pageSize     = 40
)

// checkPaging: a list in pages shows each object once, at one version, whatever is written meanwhile; kubectl's
// --chunk-size as well.
func (c *cluster) checkPaging(ctx context.Context) (string, error) {
	const ns = "smoke-paging"
	if err := c.kubectl.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	if err := c.createMany(ctx, ns, "item", pagedObjects); err != nil {
		return "", err
	}
	// One more than was made: the cluster's CA is in each namespace. Wait for it, so that the count is certain.
	if err := until(ctx, convergeLimit, "kube-root-ca.crt appears", func(ctx context.Context) error {
		return c.api.get(ctx, configMaps(ns)+"/kube-root-ca.crt", nil)
	}); err != nil {
		return "", err
	}
	names, err := c.kubectl.run(ctx, "-n", ns, "get", "configmap", "-o", "name", fmt.Sprintf("--chunk-size=%d", pageSize))
	if err != nil {
		return "", err
	}
	if got := len(strings.Fields(names)); got != pagedObjects+1 {
		return "", fmt.Errorf("kubectl get --chunk-size printed %d names, not %d", got, pagedObjects+1)
	}
	pages, err := c.walkPages(ctx, ns)
	return fmt.Sprintf("%d objects in %d pages", pagedObjects+1, pages), err
}

// walkPages reads page by page, and changes the list behind the reader's back after each.
func (c *cluster) walkPages(ctx context.Context, ns string) (int, error) {
	query := url.Values{"limit": {fmt.Sprint(pageSize)}}
	seen := map[string]bool{}
	version := ""
	for pages := 1; ; pages++ {
		var page list
		if err := c.api.get(ctx, configMaps(ns)+"?"+query.Encode(), &page); err != nil {
			return pages, fmt.Errorf("page %d: %w", pages, err)
		}
		if version == "" {
			version = page.Metadata.ResourceVersion
		}
		if page.Metadata.ResourceVersion != version {
			return pages, fmt.Errorf("page %d is of version %s, the first of %s", pages, page.Metadata.ResourceVersion, version)
		}
		for _, o := range page.Items {
			if seen[o.Metadata.Name] {
				return pages, fmt.Errorf("%s is in two pages", o.Metadata.Name)
			}
			if o.Data["late"] != "" {
				return pages, fmt.Errorf("%s shows a write that came after the first page", o.Metadata.Name)
			}
			seen[o.Metadata.Name] = true
		}
		rest := pagedObjects + 1 - len(seen)
		if got := page.Metadata.RemainingItemCount; rest > 0 && (got == nil || *got != int64(rest)) {
			return pages, fmt.Errorf("page %d says that %v remain, not %d", pages, got, rest)
		}
		if page.Metadata.Continue == "" {
			if rest != 0 {
				return pages, fmt.Errorf("the pages end with %d objects missing", rest)
			}
			return pages, nil
		}
		query.Set("continue", page.Metadata.Continue)
		if err := c.disturb(ctx, ns, pages); err != nil {
			return pages, err
		}
	}
}

// disturb adds an object at the end of the list, changes one there and deletes another.
func (c *cluster) disturb(ctx context.Context, ns string, round int) error {
	late := map[string]string{"late": "yes"}
	if err := c.api.create(ctx, configMaps(ns), configMap(ns, fmt.Sprintf("zzz-%d", round), late), nil); err != nil {
		return err
	}
	if err := c.api.patch(ctx, fmt.Sprintf("%s/item-%03d", configMaps(ns), pagedObjects-1), map[string]any{"data": late}); err != nil {
		return err
	}
	return c.api.delete(ctx, fmt.Sprintf("%s/item-%03d", configMaps(ns), pagedObjects-1-round))
}

// createMany creates ConfigMaps <prefix>-000 and on, some at a time.
func (c *cluster) createMany(ctx context.Context, ns, prefix string, n int) error {
	const abreast = 8
	var wait sync.WaitGroup
	errs := make([]error, abreast)
	for i := range abreast {
		wait.Go(func() {
			for j := i; j < n && errs[i] == nil; j += abreast {
				name := fmt.Sprintf("%s-%03d", prefix, j)
				errs[i] = c.api.create(ctx, configMaps(ns), configMap(ns, name, content(name, 1)), nil)
			}
		})
	}
	wait.Wait()
	return firstOf(compact(errs), 3)
}

// compact drops the nils.
func compact(errs []error) []error {
	var some []error
	for _, err := range errs {
		if err != nil {
			some = append(some, err)
		}
	}
	return some
}

package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"sync"
	"time"
)

// reflectorPause is how long a reflector waits before it connects again.
const reflectorPause = 100 * time.Millisecond

// reflector keeps a copy of a list as controllers do: it lists once, watches from there, and after a lost connection
// goes on from the last version that it saw. Only if that was compacted away does it list again.
//
// Invariants, whose breach is kept in fault:
//   - within one watch and over resumptions, versions only rise;
//   - a list is never older than what was seen before it, since lists are consistent;
//   - what the events say fits: no ADDED of an object that is there, no MODIFIED or DELETED of one that is not.
type reflector struct {
	api     *api
	path    string                // of the list, without query
	fields  string                // fieldSelector; may be empty
	changed func(context.Context) // called by run after each change; may be nil

	mu      sync.Mutex
	objects map[string]object // by name: path is one namespace's, or a list of unique names
	version string            // of the last event or list; empty before the first list
	lists   int
	watches int
	fault   error
}

// run follows the list until ctx ends.
func (r *reflector) run(ctx context.Context) {
	for {
		// What fails here, fails because the server is down or the version is gone; both are mended by going on.
		if r.needsList() {
			if err := r.list(ctx); err == nil {
				r.notify(ctx)
			}
		}
		if !r.needsList() {
			if err := r.follow(ctx); refused(err, 410) {
				r.mu.Lock()
				r.objects = nil
				r.mu.Unlock()
			}
		}
		if !pause(ctx, reflectorPause) {
			return
		}
	}
}

func (r *reflector) needsList() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.objects == nil
}

func (r *reflector) list(ctx context.Context) error {
	var got list
	query := url.Values{"fieldSelector": {r.fields}}
	if err := r.api.get(ctx, r.path+"?"+query.Encode(), &got); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists++
	r.advance("a list", got.Metadata.ResourceVersion, true)
	r.objects = map[string]object{}
	for _, o := range got.Items {
		r.objects[o.Metadata.Name] = o
	}
	return nil
}

func (r *reflector) follow(ctx context.Context) error {
	r.mu.Lock()
	query := since(r.version)
	r.watches++
	r.mu.Unlock()
	query.Set("fieldSelector", r.fields)
	return r.api.watch(ctx, r.path, query, func(e event) error {
		r.apply(e)
		if e.Type != "BOOKMARK" {
			r.notify(ctx)
		}
		return nil
	})
}

func (r *reflector) apply(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := e.Object.Metadata.Name
	r.advance(e.Type+" "+name, e.Object.Metadata.ResourceVersion, e.Type == "BOOKMARK")
	_, there := r.objects[name]
	switch e.Type {
	case "BOOKMARK":
		return
	case "DELETED":
		delete(r.objects, name)
	default:
		r.objects[name] = e.Object
	}
	if there == (e.Type == "ADDED") {
		r.blame(fmt.Errorf("%s of %s at version %s, which was there: %v", e.Type, name, e.Object.Metadata.ResourceVersion, there))
	}
}

// advance notes a version that was seen. Bookmarks and lists may repeat the last one.
func (r *reflector) advance(what, version string, mayRepeat bool) {
	last := r.version
	r.version = version
	if last == "" {
		return
	}
	before, err := revision(last)
	if err != nil {
		r.blame(err)
		return
	}
	now, err := revision(version)
	if err != nil {
		r.blame(err)
		return
	}
	if now < before || now == before && !mayRepeat {
		r.blame(fmt.Errorf("%s has version %d after version %d was seen", what, now, before))
	}
}

// blame keeps the first fault.
func (r *reflector) blame(err error) {
	if r.fault == nil {
		r.fault = err
	}
}

func (r *reflector) notify(ctx context.Context) {
	if r.changed != nil {
		r.changed(ctx)
	}
}

// snapshot returns a copy of what the reflector holds, nil while it has no list, and the first fault since the last
// snapshot.
func (r *reflector) snapshot() (map[string]object, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fault := r.fault
	r.fault = nil
	return maps.Clone(r.objects), fault
}

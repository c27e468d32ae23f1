package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// writerPause keeps a writer from hammering a server that is down.
const writerPause = 20 * time.Millisecond

// liveLimit is how many objects a writer keeps alive.
const liveLimit = 60

// writer creates, updates and deletes ConfigMaps of its own and enters each outcome into the ledger. It knows only
// two kinds of outcome: what was acknowledged, and what is unclear until a consistent read has told.
type writer struct {
	api       *api
	ledger    *ledger
	namespace string
	prefix    string // of its objects' names
	random    *rand.Rand
	live      []string // its objects that may exist
	made      int      // names given so far
}

// run works until stop is closed, and finishes what it has begun, or until ctx ends.
func (w *writer) run(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		if !w.step(ctx) && !pause(ctx, writerPause) {
			return
		}
	}
}

// step makes one attempt and says whether the server gave a clear answer.
func (w *writer) step(ctx context.Context) bool {
	if len(w.live) == 0 || len(w.live) < liveLimit && w.random.IntN(10) < 4 {
		return w.create(ctx)
	}
	i := w.random.IntN(len(w.live))
	name := w.live[i]
	var r record
	w.ledger.update(name, func(known *record) { r = *known })
	switch {
	case r.faulted:
		w.forget(i)
		return true
	case r.unclear:
		return w.look(ctx, i)
	case len(w.live) >= liveLimit || w.random.IntN(3) == 0:
		return w.delete(ctx, i)
	default:
		return w.replace(ctx, name, r)
	}
}

func (w *writer) path(name string) string { return configMaps(w.namespace) + "/" + name }

func (w *writer) create(ctx context.Context) bool {
	w.made++
	name := fmt.Sprintf("%s-%d", w.prefix, w.made)
	w.ledger.update(name, func(r *record) { r.tried = 1 })
	w.live = append(w.live, name)
	var got object
	err := w.api.create(ctx, configMaps(w.namespace), configMap(w.namespace, name, content(name, 1)), &got)
	if refused(err, 409) {
		w.ledger.blame("%s: a first create was refused: %w", name, err)
	}
	return w.enter(name, 1, got, err)
}

func (w *writer) replace(ctx context.Context, name string, r record) bool {
	n := r.tried + 1
	w.ledger.update(name, func(r *record) { r.tried = n })
	// The version makes attempts exclusive: an earlier one of unclear outcome cannot come to pass after this one.
	next := configMap(w.namespace, name, content(name, n))
	next.Metadata.ResourceVersion = r.version
	var got object
	err := w.api.replace(ctx, w.path(name), next, &got)
	if refused(err, 404) {
		w.ledger.blame("%s: lost: content %d was acknowledged; updating it: %w", name, r.acked, err)
	}
	if refused(err, 409) && r.acked == r.tried {
		w.ledger.blame("%s: a conflict with nobody: every attempt had been acknowledged: %w", name, err)
	}
	return w.enter(name, n, got, err)
}

// enter notes the outcome of a create or replace, and says whether it was clear.
func (w *writer) enter(name string, n int, got object, err error) bool {
	w.ledger.count(err == nil)
	w.ledger.update(name, func(r *record) {
		if err != nil {
			r.unclear = true
			return
		}
		r.acked, r.version = n, got.Metadata.ResourceVersion
	})
	return err == nil
}

func (w *writer) delete(ctx context.Context, i int) bool {
	name := w.live[i]
	w.ledger.update(name, func(r *record) { r.ending = true })
	err := w.api.delete(ctx, w.path(name))
	if refused(err, 404) {
		w.ledger.blame("%s: lost: it was acknowledged, and deleting it: %w", name, err)
	}
	w.ledger.count(err == nil)
	w.ledger.update(name, func(r *record) { r.gone, r.unclear = err == nil, err != nil })
	if err == nil {
		w.forget(i)
	}
	return err == nil
}

// look asks for an object after an attempt of unclear outcome. A GET without a version is a consistent read.
func (w *writer) look(ctx context.Context, i int) bool {
	name := w.live[i]
	var got object
	err := w.api.get(ctx, w.path(name), &got)
	if err != nil && !refused(err, 404) {
		return false
	}
	var fault error
	var now record
	w.ledger.update(name, func(r *record) {
		fault = r.see(got, err == nil)
		now = *r
	})
	if fault != nil {
		w.ledger.blame("%s: %w", name, fault)
	}
	// A create or a delete of unclear outcome may still come to pass: such a name is left alone from here on.
	if fault != nil || now.ending || now.acked == 0 {
		w.forget(i)
	}
	return true
}

func (w *writer) forget(i int) { w.live = append(w.live[:i], w.live[i+1:]...) }

// writers are several at work together.
type writers struct {
	stop chan struct{}
	wait sync.WaitGroup
}

// startWriters sets all to work until finish is called or ctx ends.
func startWriters(ctx context.Context, all []*writer) *writers {
	ws := &writers{stop: make(chan struct{})}
	for _, w := range all {
		ws.wait.Go(func() { w.run(ctx, ws.stop) })
	}
	return ws
}

// finish lets each writer end what it has begun and waits for that.
func (ws *writers) finish() {
	close(ws.stop)
	ws.wait.Wait()
}

// Package watch delivers the events of the history to watch streams, by pull: a
// watcher is a cursor into the history, and reads its events from a view.
//
// The Hub (hub.go) finds out which watchers a change concerns, and wakes their
// streams; it carries no events. A stream (stream.go, next.go) is the watchers of
// one client's stream (watcher.go): its Next pulls events from the newest view. The
// limiter lets few streams at a time do so, and the event cache makes the events
// of new revisions once for all watchers.
//
// A slow client costs no memory and delays no other: its events wait in the
// history, which is there anyway. If they are compacted before it reads them, its
// watcher is cancelled, as etcd's is.
//
// One goroutine, Hub.Run, marks watchers. All else runs on the caller's.
//
// It may import state, revision for the vocabulary, and etcd's API; it knows
// nothing of the log, and never imports backend.
package watch

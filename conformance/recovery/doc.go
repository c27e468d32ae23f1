// Package recovery loses a whole ensemble under load, with all of its data, and restores the store from its archive into
// a fresh one: the drill of docs/recovery.md. What was acknowledged more than the archive's interval before the loss has
// to be there, and nothing else than the log up to some place.
//
// A file that zkine restore makes of an archive becomes an etcd (snapshot_test.go).
//
// "make test" runs the drill on one ZooKeeper with a short interval; "make drill" (-all) for minutes, on three, with the default one.
package recovery

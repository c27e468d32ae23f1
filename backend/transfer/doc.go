// Package transfer moves states in: what another store holds becomes the checkpoint
// with which a new root begins.
//
// A source fills [Contents], as far as it can tell; [Contents.Raise] has the state
// start above all that clients may have seen. A [State] is the same as a
// checkpoint's bytes, made of Contents or of a view of zkine's own (OfView). [Seed]
// writes it to an empty root, reads it back, and compares (package zkseed).
//
// [OpenSnapshot] reads etcd's snapshot files.
package transfer

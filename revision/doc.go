// Package revision is the revision log and its mapping onto ZooKeeper: a
// totally ordered list of requests that every zkine applies.
//
// It owns the znodes under the root (layout.go draws them), the ZooKeeper
// session, the slot's encoding (codec.go draws the bytes), the append with
// exact resolution of unknown outcomes (append.go), the reading of the log in
// order (next.go, tail.go, ahead.go), the barrier behind linearizable reads, the map
// between revisions and places, and the list of members.
//
// # Ordering
//
// A batch's place is the number of its sequential znode. An append is one
// multi whose check binds it to the open segment; so a segment, once sealed by
// a rotation, never gets another slot, and slots are dense within it. Next
// delivers each place once, in order, and nothing else decides what comes
// before what: not the order of Append calls, not that of their replies.
//
// # Goroutines
//
// session.run keeps one verified connection up. Log.follow learns of foreign
// slots by watch and poll. A rotation runs in a goroutine of its own, and so
// does each read ahead. All end with Close. Next is called by one goroutine of
// the caller's; Append, Barrier and Members by any.
//
// It may import ZooKeeper's client, the codec's libraries and its own
// sub-packages' messages; nothing else of zkine.
package revision

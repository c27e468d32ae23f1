// Package replay makes the requests of a recording (package trace) again, of any store that speaks etcd's API: at the
// times of the recording, whatever has been answered meanwhile, as an API server does that has many clients. It is a
// process of its own (Main), with grpc-go's client and etcd's stubs, as kube-apiserver has them.
//
// What depends on answers is made right on the way. A write compares with the revision that the last write of the same
// key was answered with, and so waits for that answer; one that was refused when it was recorded is made to be refused.
// A read of a past revision, a compaction and a watch name the revision that the same request's answer had this time. A
// put's lease is the one that was granted this time. Values are made up, of the recorded size, from text and
// letters of the kind that objects of Kubernetes hold.
//
// Every write must come out as recorded, and at the end each watch that is still open must have brought exactly the
// writes of its keys since its start: a store that loses an event or a write fails the run.
//
// Goroutines: one for each request under way and two for each stream of watches; all end before Run returns.
package replay

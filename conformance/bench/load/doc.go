// Package load is the bench's load generator. It runs as a process of its own (Main), so that its processor time and
// its garbage are nobody else's: it reads a Job on standard input, puts the load on one server and writes a Result on
// standard output.
//
// It speaks gRPC as kube-apiserver does, and its requests have the shapes of kube-apiserver's. To stay light beside the
// servers, with which it shares the machine, it does without clientv3 and without grpc-go's client (wiregrpc): requests
// are marshalled into buffers that each client reuses, replies are scanned in their wire form for what tells that they
// are right, without building messages, where they are read.
//
// Every reply is checked, and after the clock has stopped the whole is: that revisions advanced by exactly the number
// of writes, that the last write of each client is what reads return, that each watcher got every event once and in
// order. A refusal or a wrong answer fails the run. Speed never comes from wrong answers.
//
// A workload is a plan (plan.go): it prepares, then does one operation at a time for each client, and checks at the
// end. The pacer (pace.go) calls it from as many goroutines as there are clients, flat out or on a schedule.
package load

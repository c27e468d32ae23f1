// Package recorder stands between a kube-apiserver and its etcd and notes what is asked, as package trace keeps it. It
// passes each message on as it came, and looks at a copy. What it does not know is passed on too, and named at the end:
// a recording that lacks something is no recording.
//
// Goroutines: those of its gRPC server and clients, and one for each call that passes requests on; all end with Close.
package recorder

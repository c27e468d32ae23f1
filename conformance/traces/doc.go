// Package traces has the programs on both sides of zkine's spans: a real kube-apiserver whose trace zkine joins, and a
// real etcd beside it, for the names that docs/tracing.md gives. The collector is OTLP's service, in the test.
//
// "make traces" runs it (-all): kube-apiserver takes its time.
package traces

// Package kube makes what Kubernetes stores in etcd readable: objects in protobuf, in JSON (custom resources, too), and
// whatever else lies there, as YAML or as text that is safe to show.
//
//	decode.go    a value and its key become a Document
//	envelope.go  the envelope that Kubernetes puts around protobuf
//	types.go     the table of Kubernetes' types: field numbers, names, kinds
//	message.go   a protobuf message becomes a tree, by the table
//	special.go   messages that JSON has another form for: times, quantities, embedded JSON
//	json.go      JSON becomes a tree
//	secret.go    what may be a Secret
//	mask.go      the data of Secrets is taken out of a tree
//	yaml.go      a tree becomes YAML
//	raw.go       what is none of these
//
// # The table
//
// types.json.gz is generated from the Go types of k8s.io/api, by conformance/kubernetes/kubetypes, which also proves that
// what is decoded by it equals what Kubernetes itself makes of the same bytes, for every type. Types and fields that are
// newer than the table are shown with their numbers. docs/dependencies.md says why it is a table and no library.
//
// # Bounds
//
// A value comes from any client that may write to the store. Depth, the number of nodes and the size of the text are bounded, and
// a value that goes beyond them is shown raw, as far as that goes.
//
// It imports nothing of zkine's.
package kube

// Kubetypes writes the table by which zkine's console reads the objects of Kubernetes: server/console/kube/types.json.gz.
// It is made of the Go types of k8s.io/api, as the version in go.mod has them. `make kube-types` runs it.
//
// Its test fills an object of each kind, has Kubernetes' own serializers write it as protobuf and as JSON, and compares
// what the console makes of the one with the other.
package main

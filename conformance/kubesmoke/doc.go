// Command kubesmoke is the end-to-end check behind `make kube-smoke`: a Kubernetes control plane, kube-apiserver,
// kube-controller-manager and kube-scheduler, on a freshly started zkine, used as people use it and then hurt.
//
//	go run ./kubesmoke                 # on ../bin/zkine, with the ZooKeeper that it embeds
//	go run ./kubesmoke -store etcd     # the same checks on a real etcd, to know what they are worth
//
// It is a program and not a Go test, so that `go test ./...` stays fast and needs neither a JVM nor Kubernetes.
// It drives the cluster with the kubectl binary, as people do, and where it must know exactly what was
// acknowledged, resumed or refused with plain HTTPS. client-go would retry, back off and re-list behind its back,
// hiding just what is looked for, and would bring its dependencies along; the standard library is enough.
//
// What happens, in order (main.go reads the same way):
//
//  1. The store, the API server and the two others start; a Node that exists only here (node.go) registers and
//     plays the kubelet: it keeps its Lease, reports its pods as running and confirms their deletion.
//  2. Checks, check_*.go: objects, paging, watches, apply, custom resources, a Deployment, expiry of Events,
//     compaction, deletion of a namespace.
//  3. Disruptions, disrupt.go: while writers (writer.go) create, update and delete ConfigMaps and a follower
//     (reflector.go) keeps a copy as controllers do, the store and its ZooKeeper are killed. After each the ledger
//     (ledger.go) of what was acknowledged is compared with what is there.
//  4. The cluster must still work, everything is deleted, and the store must hold no key of it.
//  5. A second API server, on a zkine on three ZooKeepers with the settings that people have, must not rebuild a watch
//     cache when leaders of ZooKeeper are frozen and killed in quick succession (check_leaderloss.go; alone: -losses).
//
// With -record FILE there are no checks. A control plane with its defaults, on an etcd behind a proxy that takes notes
// (bench/recorder), deploys 500 pods on 100 nodes (fleet.go), replaces them all and deletes them, and what the API server
// asked of the etcd meanwhile is written to the file, without the values, for the bench to replay (record.go).
//
// Waiting is on conditions with deadlines (wait.go). Nothing outlives the run: processes are ended by their pid, and
// the run adopts what its children leave behind (children.go). Each process logs into a file of the work folder,
// whose tails are printed when a check fails.
package main

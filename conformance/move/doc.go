// Package move moves stores into zkine, out of it and on, with nothing but the programs that a user has: zkine, etcd,
// etcdctl, etcdutl, kine and kube-apiserver. What is there afterwards is compared byte by byte with what was there
// before: keys, values, revisions, versions, leases, users, hashes, and what watches deliver.
//
//	kubernetes_test.go   a cluster moves, with a kube-apiserver that is started on each store; kine_test.go from kine
//	etcd_test.go         an etcd with some of everything moves in, and out again
//	export_test.go       zkine export, to a file and to an etcd
//	live_test.go         zkine import from a live etcd and kine, and --follow
//	source_test.go       sources by TLS, of users who may read a part, and those that cannot be followed
//	healing_test.go      a store comes back from a backup under a kube-apiserver that runs
//	bad_test.go          sources, files and targets that are refused; disk_test.go: disks that fill
//	killed_test.go       transfers that are killed at any moment
//	speed_test.go        an import beside what etcd's own tools take, and its memory
//
// and what they need:
//
//	harness_test.go      programs that are run to their end
//	store_test.go        etcd and zkine as stores of the same API
//	fill_test.go         what is written to a store, and the commands of zkine; populate_test.go, cli_test.go: more of both
//	contents_test.go     all that a client can see of a store, and how two of them are compared
//	apiserver_test.go    kube-apiserver, with api_test.go as its client, objects_test.go for what it holds
//	mirror_test.go       a client that lists, watches and resumes, as a controller does
//	switch_test.go       an address that leads to another store from one moment to the next
//
// "make test" runs what takes seconds; what takes minutes, kube-apiserver or kine is run by "make move" (-all).
//
// The programs are those of ../components, built when they are missing.
package move

// Package k3s does to a zkine, and to an etcd beside it, what k3s does to its datastore. k3s itself is no module that one
// could link, so that its store is reached by the libraries that it uses: kine's endpoint.Listen, which hands an http or
// https datastore-endpoint on as it is, and kine's client. The calls of its bootstrap are made in its order.
//
//	datastore.go  the configuration that --datastore-* leads to, and a client of it
//	bootstrap.go  the lock, the data, the rewrite and the change of token under /bootstrap
//	seal.go       how that data is encrypted, and which key a token leads to
//
// What make k3s runs in addition (-cluster) is two kube-apiservers with the flags that k3s gives them, on two zkines of
// one root, with secrets encryption and the rotation of its key.
//
// It is a module of its own, since kine brings every database along that it can speak to.
package k3s

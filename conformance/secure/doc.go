// Package secure runs zkine on ZooKeepers that it has to prove itself to, and on
// which others want at what it keeps: by TLS, with certificates and passwords,
// on one server and on three, through the loss of a leader.
//
// It has nothing but tests. make test takes some ways; go test ./secure -all takes each.
package secure

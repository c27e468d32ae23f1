// Package identity is who zkine is to ZooKeeper: the certificate that secures
// its connections, and the credentials that its sessions show.
//
// Both come from files that may be replaced at any time, since certificates run
// out and passwords change; each new connection uses what they hold then. A file
// that cannot be used is reported, and what it held before stays in use.
package identity

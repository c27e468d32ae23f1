// Package console serves a page on the metrics URLs, under /console/, that shows what a zkine does: rates, latency and
// sizes as they were in the last minutes, members and ensemble, who asks for what, and the keys, readable. It reads and
// never writes.
//
//	console.go   what it is made of, and its paths
//	guard.go     what each request passes first: methods, hosts, headers of the page, how many there may be
//	caller.go    with whose authority a request is made, and how errors of etcd's are told
//	assets.go    the page, which is built and committed: web/ has the sources, dist/ what is served
//	session.go   who one is: about, login
//	status.go    this member, and the others
//	sampler.go   samples of the process's metrics, a bounded ring of them; series.go has which
//	usage.go     the busiest prefixes and clients; the ensemble
//	keytext.go   keys as text that can be shown and sent back
//	keys.go      the keys below a prefix, folders by "/", by pages
//	search.go    keys that contain a text
//	value.go     one key at one revision
//	history.go   the revisions of a key
//	watch.go     changes as they come, as server-sent events
//
// # Authority
//
// It has none of its own. Each read is a call of etcd's API over the server's own connection to itself, with the token
// that the page's user has logged in for, or the name in the client's certificate: the same interceptors, limits and
// permissions as for any client. What the page shows beside keys is for each user, as etcd's Status is. The page keeps
// the token in its memory only.
//
// A URL on which clients show less than the client URLs demand is no way around these: see Door.
//
// # Values
//
// Values come to the page readable (package kube), and data of Secrets never leave the process.
//
// # Bounds
//
// Answers have so many entries and bytes, reads so much time; so many reads are under way at once, and so many
// watches, which end by themselves. Samples are kept in a ring.
//
// # Goroutines
//
// Run takes samples, for as long as the server runs. A watch has one that reads from the store; its handler waits for
// it.
//
// It imports package kube of zkine's, and the messages of package observe.
package console

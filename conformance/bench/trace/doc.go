// Package trace keeps the requests that a kube-apiserver made of its store, without what was in the values: which
// operation on which key, when, over which connection, with which options, and how many bytes a value had. It knows
// nothing of gRPC or of a store; package replay makes the requests again, and bench/record is what records them.
//
// A file is text compressed with gzip. After a line of format and one that says what was recorded there is a line for
// each request:
//
//	<kind> <microseconds since the line before> <connection> [<letter><value>]...
//
//	k<n> e<n>   key and range end: a new text is quoted in place of its number, and has the next number from then on
//	b<n>        bytes of a value
//	l<n>        limit
//	r<n> g<n>   requests back: the one whose revision is meant, the grant whose lease a put is on
//	t<n>        seconds to live
//	s<n> n<n>   stream of watches, and which of its watches
//	f<letters>  flags, see flagsOf
//
// Keys are those of the recording's own objects, which it names itself.
package trace

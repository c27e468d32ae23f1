// Package servertest is what the tests of package server and of the packages below
// it share: a Backend without a log, and a client of it. Tests alone import it. It
// may import packages backend and revision, for their types, but not server.
package servertest

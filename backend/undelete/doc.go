// Package undelete writes back what keys were, through the etcd API: as new revisions,
// so that every client is told, and without touching what is there now unless that is
// asked for.
//
// It merges two runs of keys, those of then and those of now (compare.go), and writes
// what is missing, each key in a transaction that checks that nothing has happened to
// it in the meantime (write.go). It may be ended and run again at any time.
package undelete

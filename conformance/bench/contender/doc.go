// Package contender starts what the bench compares, each as processes of its own on the loopback interface with its
// data on the disk that is measured: zkine on one and on three ZooKeepers and with the one that it embeds, etcd with one
// and three members, kine on SQLite, and ZooKeeper itself, bare.
//
// All of them fsync before they answer, but kine with its own default. They keep their defaults otherwise; what is
// set besides is said where it is set.
//
// Goroutines: those of the packages rig and embedded, which end at Stop.
package contender

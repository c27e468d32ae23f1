// Package embedded runs a local ZooKeeper as a child process: zkine's default when no --zookeeper is given, and the
// real server under the tests (package zktest).
//
// It owns the child, its data folder and its log. What holds:
//
//   - One data folder, one server: a lock on the folder is taken before the child starts and inherited by it, so
//     that the folder stays locked until the last process that could write there is gone, however its parent died.
//   - The child never outlives Stop or Kill, nor (on Linux) a kill -9 of its parent.
//   - A child that dies by itself is started again on the same port and data, until Stop or Kill.
//   - Unless it is open, no one is let in but who shows a secret of the data folder, which no other user of the host can
//     read. Who shows it passes every ACL if it asks for that, so that no ACL and no lost secret locks zkine out. The
//     ACLs of znodes, which keep out who shows something else, are its user's to set (package zkacl).
//   - Ctrl-C at a terminal does not reach the child: its parent drains first and stops it then.
//
// The data folder:
//
//	lock                      locked while in use; names the holder's pid
//	client-port               the port of the last start, kept for the next when none is asked for
//	zoo.cfg                   written at each start, never read back: configure through Config
//	log4j.properties          the logging of either distribution, likewise
//	logback.xml
//	zookeeper.log[.1]         what the child prints
//	data/                     ZooKeeper's own: myid, version-2/{snapshot,log}.*; for this user alone
//	data/secret               the credential of a closed server, as an auth file has it; replaced if it cannot be trusted
//
// Goroutines: a Server has one, supervise, which alone starts and signals children; it ends at Stop or Kill. Each
// child has one that holds the thread which started it (process.go), and one of os/exec that copies its output; both
// end with the child.
//
// From the JVM's start to an open port with an empty folder takes 0.32 s with G1, 0.30 s with the serial collector,
// 0.28 s with the first compiler alone besides (as the tests run it), and 0.2 s with a class data archive too, which
// is not worth its upkeep (two cores, ZooKeeper 3.9.6, OpenJDK 17). Under a load of eight Start took 1.6 s.
//
// It may import fourletter, identity and throttle; nothing else of zkine.
package embedded

// Package archive keeps the log of a root, and its checkpoints, outside of ZooKeeper:
// as named objects in a folder, in an object store or in one file, each of which is
// written once and carries a hash of all that is in it. From them the state can be
// made again as it was at any place of the log that was kept; see docs/recovery.md.
//
// An Archiver follows a root and adds to an archive. A Place reads what is there. The
// objects' names are the index: they say segment, slots and time.
//
// It does not know where objects are kept: package objectstore does. It imports
// zkroot, which reads the root, and the client of ZooKeeper.
package archive

// Package zkseed makes a root that begins with a checkpoint: what is moved in, or
// restored, is there from the first moment on, and no log is replayed.
//
// There is no root until the last step. Before it, <root>/unfinished says who
// writes what, and the checkpoint's chunks lie where they will stay; zkines that
// start in the meantime refuse the root, with that record's words. One multi then makes
// the root whole and takes the record away. So what a seeding that was cut off has
// left is recognised: the next one of the same source takes each part over that
// it finds as it would write it, one of another source removes them. Each write
// checks the record's version, so that of two seedings at once the later one goes on
// and the earlier one ends.
//
// The root has two segments: the first is sealed and empty, and the checkpoint covers
// it; the second is open.
package zkseed

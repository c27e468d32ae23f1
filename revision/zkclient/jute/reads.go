package jute

import (
	"fmt"

	"github.com/go-zookeeper/zk"
)

// OpReads is the opcode of a multi of reads (ZooDefs.OpCode's multiRead), which ZooKeeper
// knows from 3.6 on.
const OpReads = 22

const opGetData int32 = 4

// ReadsSize is how many bytes AppendReads appends.
func ReadsSize(paths []string) int {
	size := headerSize
	for _, path := range paths {
		size += headerSize + 4 + len(path) + 1
	}
	return size
}

// AppendReads appends a multi that reads these znodes in this order, without a request's
// header.
func AppendReads(p []byte, paths []string) []byte {
	for _, path := range paths {
		p = append(text(header(p, opGetData, false), path), 0) // no watch
	}
	return header(p, -1, true)
}

// ParseReads reads the reply to a multi of so many reads: the stat of each znode. The stats
// are the caller's, and hold nothing of p. The error is that of the first read that failed,
// or ErrBadReply.
func ParseReads(p []byte, reads int, errorOf func(code int32) error) (stats []zk.Stat, failed error, err error) {
	r := reader{rest: p}
	for at := 0; ; at++ {
		opcode, done := r.int32(), r.take(1)
		r.int32()
		switch {
		case r.short || at > reads || done[0] != 0 && at < reads || done[0] == 0 && at == reads:
			return nil, nil, ErrBadReply
		case done[0] != 0:
			return stats, failed, nil
		}
		var stat *zk.Stat
		switch opcode {
		case opError:
			if code := r.int32(); !r.short && failed == nil {
				failed = errorOf(code)
			}
			stat = new(zk.Stat)
		case opGetData:
			if n := r.int32(); n != -1 {
				r.take(int(n))
			}
			stat = r.stat()
		default:
			return nil, nil, fmt.Errorf("%w: a result of the operation %d among reads", ErrBadReply, opcode)
		}
		if r.short {
			return nil, nil, ErrBadReply
		}
		stats = append(stats, *stat)
	}
}

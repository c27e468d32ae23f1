// Package jute writes and reads the requests that zkine's hot paths consist of,
// ZooKeeper's multi and its multi of reads, in ZooKeeper's encoding, without reflection:
//
//	request:  {type(4) done(1)=0 error(4)=-1 operation} ... {-1 1 -1}
//	reply:    {type(4) done(1)=0 error(4) result} ... {-1 1 -1}
//	check:    path version(4)              result: nothing
//	delete:   path version(4)              result: nothing
//	setData:  path data version(4)         result: a stat, 68 bytes
//	create:   path data acls flags(4)      result: path
//	getData:  path watch(1)                result: data and a stat
//	acls:     count(4) {permissions(4) scheme id} ...
//	an error, in place of any result: code(4), with the type -1
//
// Strings and data stand behind a length of four bytes, which is -1 for data that is
// nil. The vocabulary is that of go-zookeeper, which zkine's other calls go through.
package jute

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// OpMulti is a multi's opcode (ZooDefs.OpCode).
const OpMulti = 14

const (
	opCreate  int32 = 1
	opDelete  int32 = 2
	opSetData int32 = 5
	opCheck   int32 = 13
	opError   int32 = -1
)

const (
	statSize   = 68
	headerSize = 9
)

// ErrUnknownOp says that an operation is none of a multi's that zkine sends.
var ErrUnknownOp = errors.New("jute: an unknown operation")

// ErrBadReply says that a reply is none to a multi.
var ErrBadReply = errors.New("jute: a malformed reply to a multi")

// Size is about how many bytes AppendMulti appends, never less.
func Size(ops []any, acl []zk.ACL) int {
	size := headerSize
	for _, op := range ops {
		size += headerSize + 16
		switch op := op.(type) {
		case *zk.CheckVersionRequest:
			size += len(op.Path)
		case *zk.DeleteRequest:
			size += len(op.Path)
		case *zk.SetDataRequest:
			size += len(op.Path) + len(op.Data)
		case *zk.CreateRequest:
			size += len(op.Path) + len(op.Data)
			if op.Acl != nil {
				size += aclSize(op.Acl)
			} else {
				size += aclSize(acl)
			}
		}
	}
	return size
}

func aclSize(acl []zk.ACL) int {
	size := 4
	for _, entry := range acl {
		size += 12 + len(entry.Scheme) + len(entry.ID)
	}
	return size
}

// AppendMulti appends a multi to p, without a request's header. What it creates
// without an ACL of its own gets acl. The operations stay the caller's.
func AppendMulti(p []byte, ops []any, acl []zk.ACL) ([]byte, error) {
	for _, op := range ops {
		switch op := op.(type) {
		case *zk.CheckVersionRequest:
			p = number(text(header(p, opCheck, false), op.Path), op.Version)
		case *zk.DeleteRequest:
			p = number(text(header(p, opDelete, false), op.Path), op.Version)
		case *zk.SetDataRequest:
			p = number(data(text(header(p, opSetData, false), op.Path), op.Data), op.Version)
		case *zk.CreateRequest:
			p = data(text(header(p, opCreate, false), op.Path), op.Data)
			entries := op.Acl
			if entries == nil {
				entries = acl
			}
			p = number(p, int32(len(entries)))
			for _, entry := range entries {
				p = text(text(number(p, entry.Perms), entry.Scheme), entry.ID)
			}
			p = number(p, op.Flags)
		default:
			return p, fmt.Errorf("%w: %T", ErrUnknownOp, op)
		}
	}
	return header(p, -1, true), nil
}

func header(p []byte, opcode int32, done bool) []byte {
	p = number(p, opcode)
	if done {
		p = append(p, 1)
	} else {
		p = append(p, 0)
	}
	return number(p, -1)
}

func number(p []byte, n int32) []byte { return binary.BigEndian.AppendUint32(p, uint32(n)) }

func text(p []byte, s string) []byte { return append(number(p, int32(len(s))), s...) }

func data(p, b []byte) []byte {
	if b == nil {
		return number(p, -1)
	}
	return append(number(p, int32(len(b))), b...)
}

// ParseMulti reads the reply to a multi. The results are the caller's, and hold
// nothing of p. errorOf makes an error of a code. The error is that of the first
// operation that failed, or ErrBadReply.
func ParseMulti(p []byte, errorOf func(code int32) error) (results []zk.MultiResponse, failed error, err error) {
	r := reader{rest: p}
	for {
		opcode, done := r.int32(), r.take(1)
		r.int32()
		if r.short {
			return nil, nil, ErrBadReply
		}
		if done[0] != 0 {
			return results, failed, nil
		}
		var result zk.MultiResponse
		switch opcode {
		case opError:
			if code := r.int32(); code != 0 && !r.short {
				result.Error = errorOf(code)
			}
		case opCreate:
			result.String = string(r.take(int(r.int32())))
		case opSetData:
			result.Stat = r.stat()
		case opCheck, opDelete:
		default:
			return nil, nil, fmt.Errorf("%w: a result of the operation %d", ErrBadReply, opcode)
		}
		if r.short {
			return nil, nil, ErrBadReply
		}
		if failed == nil {
			failed = result.Error
		}
		results = append(results, result)
	}
}

// reader takes values off the front of bytes; short is set once one was not there.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || n < 0 || n > len(r.rest) {
		r.short = true
		return []byte{0}
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) int32() int32 {
	if p := r.take(4); !r.short {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (r *reader) int64() int64 {
	if p := r.take(8); !r.short {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (r *reader) stat() *zk.Stat {
	if len(r.rest) < statSize {
		r.short = true
		return nil
	}
	return &zk.Stat{Czxid: r.int64(), Mzxid: r.int64(), Ctime: r.int64(), Mtime: r.int64(), Version: r.int32(), Cversion: r.int32(),
		Aversion: r.int32(), EphemeralOwner: r.int64(), DataLength: r.int32(), NumChildren: r.int32(), Pzxid: r.int64()}
}

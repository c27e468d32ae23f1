package jute

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// bytesOf builds what ZooKeeper's records look like: int32s, int64s, single bytes,
// strings behind their lengths, and bytes as they are.
func bytesOf(values ...any) (p []byte) {
	for _, v := range values {
		switch v := v.(type) {
		case int:
			p = binary.BigEndian.AppendUint32(p, uint32(int32(v)))
		case int64:
			p = binary.BigEndian.AppendUint64(p, uint64(v))
		case byte:
			p = append(p, v)
		case string:
			p = append(binary.BigEndian.AppendUint32(p, uint32(len(v))), v...)
		case []byte:
			p = append(p, v...)
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	return p
}

const no, yes = byte(0), byte(1)

func TestAMultiIsWrittenAsZooKeeperReadsIt(t *testing.T) {
	ops := []any{
		&zk.CheckVersionRequest{Path: "/log", Version: 3},
		&zk.SetDataRequest{Path: "/s", Data: []byte("ab"), Version: -1},
		&zk.CreateRequest{Path: "/s/s-", Data: nil, Flags: zk.FlagSequence},
		&zk.CreateRequest{Path: "/t", Data: []byte{}, Acl: []zk.ACL{{Perms: 1, Scheme: "ip", ID: "::1"}}},
		&zk.DeleteRequest{Path: "/d", Version: 0},
	}
	acl := []zk.ACL{{Perms: 31, Scheme: "world", ID: "anyone"}, {Perms: 4, Scheme: "auth"}}
	want := bytesOf(
		13, no, -1, "/log", 3,
		5, no, -1, "/s", "ab", -1,
		1, no, -1, "/s/s-", -1, 2, 31, "world", "anyone", 4, "auth", "", 2,
		1, no, -1, "/t", "", 1, 1, "ip", "::1", 0,
		2, no, -1, "/d", 0,
		-1, yes, -1)
	got, err := AppendMulti([]byte("head"), ops, acl)
	require.NoError(t, err)
	require.Equal(t, append([]byte("head"), want...), got)
	require.GreaterOrEqual(t, Size(ops, acl), len(want))

	_, err = AppendMulti(nil, []any{"what"}, nil)
	require.ErrorIs(t, err, ErrUnknownOp)
}

// stat is a znode's, with a different value in each field.
func stat() (p []byte, s *zk.Stat) {
	return bytesOf(int64(1), int64(2), int64(3), int64(4), 5, 6, 7, int64(8), 9, 10, int64(11)), &zk.Stat{Czxid: 1, Mzxid: 2,
		Ctime: 3, Mtime: 4, Version: 5, Cversion: 6, Aversion: 7, EphemeralOwner: 8, DataLength: 9, NumChildren: 10, Pzxid: 11}
}

type code int32

func (c code) Error() string { return fmt.Sprint("code ", int32(c)) }

func errorOf(c int32) error { return code(c) }

func TestARepliesResultsAreRead(t *testing.T) {
	raw, want := stat()
	results, failed, err := ParseMulti(bytesOf(13, no, 0, 5, no, 0, raw, 1, no, 0, "/s/s-0000000007", 2, no, 0, -1, yes, -1), errorOf)
	require.NoError(t, err)
	require.NoError(t, failed)
	require.Equal(t, []zk.MultiResponse{{}, {Stat: want}, {String: "/s/s-0000000007"}, {}}, results)

	results, failed, err = ParseMulti(bytesOf(-1, no, 0, 0, -1, no, -103, -103, -1, no, -2, -2, -1, yes, -1), errorOf)
	require.NoError(t, err)
	require.Equal(t, code(-103), failed, "the first that failed")
	require.Equal(t, []zk.MultiResponse{{}, {Error: code(-103)}, {Error: code(-2)}}, results)
}

// FuzzParseMulti has whatever bytes end in results that are in them, or in ErrBadReply.
func FuzzParseMulti(f *testing.F) {
	raw, _ := stat()
	f.Add(bytesOf(13, no, 0, 5, no, 0, raw, 1, no, 0, "/s", -1, yes, -1))
	f.Add(bytesOf(-1, no, 0, -101, -1, yes, -1))
	f.Add(bytesOf(1, no, 0, 1<<30))
	f.Add(bytesOf(1, no, 0, -1))
	f.Fuzz(func(t *testing.T, p []byte) {
		kept := bytes.Clone(p)
		results, _, err := ParseMulti(p, errorOf)
		require.Equal(t, kept, p)
		if err != nil {
			require.True(t, errors.Is(err, ErrBadReply))
			require.Empty(t, results)
			return
		}
		require.LessOrEqual(t, len(results)*headerSize, len(p))
	})
}

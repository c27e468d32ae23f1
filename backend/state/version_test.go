package state

import (
	"bytes"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
)

// FuzzVersion compares the encoding of a version with proto.Marshal's.
func FuzzVersion(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), int64(7), int64(3), int64(2), int64(-1))
	f.Add([]byte{}, []byte{}, int64(2), int64(2), int64(1), int64(0))
	f.Add(bytes.Repeat([]byte{0}, 127), bytes.Repeat([]byte{0xff}, 20000), int64(1)<<62, int64(1)<<35, int64(300), int64(1)<<62)
	f.Add(bytes.Repeat([]byte{0}, 128), []byte{0}, int64(128), int64(127), int64(1)<<21, int64(1))
	f.Fuzz(func(t *testing.T, key, value []byte, mod, create, number, lease int64) {
		if number == 0 {
			number = 1 // 0 would be a tombstone
		}
		v := newVersion(string(key), value, revision.Rev(mod), revision.Rev(create), number, lease)
		checkEncoding(t, v, &mvccpb.KeyValue{Key: key, Value: value, ModRevision: mod,
			CreateRevision: create, Version: number, Lease: lease})
		checkEncoding(t, newTombstone(string(key), revision.Rev(mod)), &mvccpb.KeyValue{Key: key, ModRevision: mod})
	})
}

func checkEncoding(t *testing.T, v *version, want *mvccpb.KeyValue) {
	t.Helper()
	wire, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(v.wire(), wire) {
		t.Fatalf("wire %x, want %x", v.wire(), wire)
	}
	if cap(v.wire()) != v.wireLen() {
		t.Errorf("room for %d bytes, %d used", cap(v.wire()), v.wireLen())
	}
	if !proto.Equal(v.keyValue(), want) || v.key != string(want.Key) {
		t.Fatalf("decoded %v, want %v", v.keyValue(), want)
	}
	if got := v.keyValue(); len(got.Value) == 0 && got.Value != nil {
		t.Error("an empty value is not nil")
	}
}

// FuzzVector compares a vector, and its snapshots, with a slice.
func FuzzVector(f *testing.F) {
	f.Add([]byte{255, 3, 255, 1, 255, 255, 2, 0, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		var v vector[int]
		var snapshots []vector[int]
		low := 0
		for _, b := range script {
			switch b % 8 {
			case 0:
				snapshots = append(snapshots, v)
			case 1, 2:
				low = max(low, min(v.end, low+int(b)))
				v.drop(low)
			default:
				for range int(b) {
					v.append(v.end * 3)
				}
			}
		}
		for _, s := range append(snapshots, v) {
			if (s.end-s.first+chunkLen-1)/chunkLen > len(s.chunks) {
				t.Fatalf("[%d, %d) in %d chunks, cut at %d", s.first, s.end, len(s.chunks), low)
			}
			for i := s.first; i < s.end; i++ {
				if *s.at(i) != i*3 {
					t.Fatalf("%d at %d", *s.at(i), i)
				}
			}
		}
		if v.first > low || low-v.first >= chunkLen && v.end-v.first >= chunkLen {
			t.Fatalf("cut at %d, begins at %d", low, v.first)
		}
	})
}

package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
)

// stored is an entry as a test keeps it.
type stored struct{ key, value []byte }

func entriesOf(t testing.TB, v *View) (all []stored) {
	t.Helper()
	entries, err := v.EtcdEntries()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range entries {
		all = append(all, stored{bytes.Clone(key), value})
	}
	return all
}

// A bucket that is read back gives the same hash, the same keys and the same
// history as the view, before and after the versions were freed that a
// compaction has made unreadable; and in a machine that a checkpoint has made.
func TestEntries(t *testing.T) {
	b := newBench(t)
	for i, message := range hashScript() {
		b.ok(message)
		v := b.View()
		before := entriesOf(t, v)
		checkEntries(t, v, before)
		restored, err := restore(checkpoint(t, v, small))
		if err != nil {
			t.Fatal(err)
		}
		if again := entriesOf(t, restored.View()); fmt.Sprint(before) != fmt.Sprint(again) {
			t.Errorf("step %d: %q before and %q after a checkpoint", i, before, again)
		}
		for b.CompactPhysically(1) {
		}
		after := entriesOf(t, b.View())
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("step %d: %q before and %q after", i, before, after)
		}
		if _, err := v.EtcdEntries(); v.CompactRev() < b.View().CompactRev() && err != ErrCompacted {
			t.Errorf("step %d: %v from an overtaken view", i, err)
		}
	}
}

// An old view tells that it was overtaken, instead of leaving out what is gone.
func TestEntriesOfAnOvertakenView(t *testing.T) {
	b := newBench(t)
	script := hashScript()
	for _, message := range script[:10] {
		b.ok(message)
	}
	old := b.View()
	entries, err := old.EtcdEntries()
	if err != nil {
		t.Fatal(err)
	}
	want := entriesOf(t, old)
	b.ok(script[10]) // compacts
	for b.CompactPhysically(1) {
	}
	if _, err := old.EtcdEntries(); err != ErrCompacted {
		t.Fatalf("%v, want %v", err, ErrCompacted)
	}
	var got []stored
	for key, value := range entries {
		got = append(got, stored{bytes.Clone(key), value})
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("a sequence under way changed: %q, want %q", got, want)
	}
}

func checkEntries(t *testing.T, v *View, entries []stored) {
	t.Helper()
	if !slices.IsSortedFunc(entries, func(a, b stored) int { return bytes.Compare(a.key, b.key) }) {
		t.Errorf("not in order: %q", entries)
	}
	crc := crc32.New(castagnoli)
	crc.Write([]byte("key"))
	live := map[string]*mvccpb.KeyValue{}
	for _, e := range entries {
		mod := revision.Rev(binary.BigEndian.Uint64(e.key))
		tombstone := len(e.key) == 18
		kv := new(mvccpb.KeyValue)
		if err := proto.Unmarshal(e.value, kv); err != nil {
			t.Fatal(err)
		}
		if tombstone {
			delete(live, string(kv.Key))
		} else {
			live[string(kv.Key)] = kv
		}
		// At the floor, what was replaced later does not count for the hash.
		newest, _ := v.store.live.Get(string(kv.Key))
		if mod > v.CompactRev() || !tombstone && newest != nil && newest.mod == mod {
			crc.Write(e.key)
			crc.Write(e.value)
		}
	}
	if len(live) != v.NumKeys() {
		t.Errorf("%d keys, want %d", len(live), v.NumKeys())
	}
	for key, kv := range live {
		if newest, ok := v.store.live.Get(key); !ok || !proto.Equal(newest.keyValue(), kv) {
			t.Errorf("%q is %v", key, kv)
		}
	}
	if got, err := v.HashKV(0); v.NumKeys() > 0 && (err != nil || got.Hash != crc.Sum32()) {
		t.Errorf("hash %d of entries, %d of the view, error %v", crc.Sum32(), got.Hash, err)
	}
}

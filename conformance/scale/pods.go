package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/embedded"
)

// measurePods counts the bytes and znodes that many pods take, and compares ZooKeeper's heap with what it takes if each
// pod is a znode.
func measurePods(ctx context.Context, z *embedded.Server, s *store) error {
	b := s.bench
	began := time.Now()
	raw, err := s.load(ctx, b.pods, (*maker).pod)
	if err != nil {
		return err
	}
	loaded := time.Since(began)
	if err := s.updates(ctx, "/registry/pods/", b.pods/perUpdate, (*maker).pod); err != nil {
		return err
	}
	if err := s.judgePeak(ctx, fmt.Sprintf("%d pods and %d updates", b.pods, b.pods/perUpdate), raw, mostPods); err != nil {
		return err
	}
	before, err := takeCensus(ctx, z.Addr())
	if err != nil {
		return err
	}
	began = time.Now()
	if err := s.tidy(ctx); err != nil {
		return err
	}
	tidied := time.Since(began)
	after, err := takeCensus(ctx, z.Addr())
	if err != nil {
		return err
	}
	b.table.note(fmt.Sprintf("%d pods loaded", b.pods), "%s raw, %d bytes a pod, in %v; then %v", mib(raw), raw/int64(b.pods), loaded.Round(100*time.Millisecond), before)
	share := float64(after.bytes) / float64(raw)
	b.table.judge(fmt.Sprintf("bytes in ZooKeeper, %d live pods after compaction, against the raw bytes", b.pods), "0.25x or less", share <= 0.25,
		"%.3fx: %v; compaction and defragmentation took %v", share, after, tidied.Round(100*time.Millisecond))
	b.table.judge("znodes for those", "under 2,000", after.znodes < 2000, "%d", after.znodes)
	if err := compareHeaps(ctx, b, s, z.Pid()); err != nil {
		return err
	}
	return s.compareHousekeeping(ctx, "/registry/pods/")
}

// quietWrites is how many small writes end a load: ZooKeeper keeps the last 500 transactions in memory, for followers
// that were away, and right after a load or a checkpoint these are large.
const quietWrites = 600

func compareHeaps(ctx context.Context, b *bench, s *store, pid int) error {
	right, err := heapInUse(ctx, pid)
	if err != nil {
		return err
	}
	for i := range quietWrites {
		if _, err := s.putAll(ctx, []object{{fmt.Appendf(nil, "quiet/%d", i%10), []byte("x")}}); err != nil {
			return err
		}
	}
	used, err := heapInUse(ctx, pid)
	if err != nil {
		return err
	}
	plain, err := plainHeap(ctx, b)
	if err != nil {
		return err
	}
	share := float64(used) / float64(plain)
	b.table.judge("ZooKeeper heap in use after GC, against one znode an object with raw values", "0.3x or less", share <= 0.3,
		"%.3fx: %s against %s; %s right after the checkpoint, whose transactions ZooKeeper still holds", share, mib(used), mib(plain), mib(right))
	return nil
}

// plainHeap is the heap in use of a ZooKeeper that holds each pod in a znode of its own. It gets a larger heap, since
// the small one might be too small for that.
func plainHeap(ctx context.Context, b *bench) (int64, error) {
	z, err := b.startZooKeepers(ctx, "plain", 1, 2*smallHeap)
	if err != nil {
		return 0, err
	}
	defer z.Kill()
	conn, err := connectZooKeeper(ctx, z.Servers[0].Addr())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	acl := zk.WorldACL(zk.PermAll)
	if _, err := conn.Create("/pods", nil, 0, acl); err != nil {
		return 0, err
	}
	k := newMaker(1)
	for from := 0; from < b.pods; from += txnOps {
		var ops []any
		for i := from; i < min(from+txnOps, b.pods); i++ {
			o := k.pod(i)
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("/pods/%s", plainName(o.key)), Data: o.value, Acl: acl})
		}
		if _, err := conn.Multi(ops...); err != nil {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	for range quietWrites {
		if _, err := conn.Set("/pods", []byte("x"), -1); err != nil {
			return 0, err
		}
	}
	return heapInUse(ctx, z.Servers[0].Pid())
}

// plainName is a key as the name of one znode.
func plainName(key []byte) string {
	name := []byte(string(key))
	for i, c := range name {
		if c == '/' {
			name[i] = '.'
		}
	}
	return string(name[1:])
}

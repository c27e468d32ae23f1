package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

const mib, gib = 1 << 20, 1 << 30

func TestBytesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{
		"536870912": 512 * mib, "512m": 512 * mib, "512M": 512 * mib, "512MiB": 512 * mib, "512 MB": 512 * mib,
		"2g": 2 * gib, "1.5GiB": 3 * gib / 2, "1048576k": gib, "0": 0,
	} {
		var b byteSize
		require.NoError(t, b.Set(text), text)
		require.EqualValues(t, want, b, text)
	}
	for _, text := range []string{"", "m", "-1", "1x", "1 2", "NaN", "Inf", "1e300", "9999999999g", "1mm", "ten"} {
		require.Error(t, new(byteSize).Set(text), text)
	}
}

func TestAHeapThatCannotBe(t *testing.T) {
	most := bytesize.AtMost(largestHeap(machineMemory()))
	for arg, want := range map[string]string{
		"--local-zookeeper-heap=64m":  "--local-zookeeper-heap: 64 MiB is out of bounds — choose from 160 MiB to " + most,
		"--local-zookeeper-heap=900t": "--local-zookeeper-heap: 900 TiB is out of bounds — choose from 160 MiB to " + most,
	} {
		flags, cfg := newFlags(t, arg)
		err := cfg.check(flags, nil)
		require.EqualError(t, err, want)
		require.True(t, explain(err).usage)
	}
	flags, cfg := newFlags(t, "--local-zookeeper-heap=1g", "--max-zookeeper-request=4194304")
	require.ErrorContains(t, cfg.check(flags, nil), "leaves no room beside 500 requests of --max-zookeeper-request=4194304 — choose ")
	flags, cfg = newFlags(t, "--local-zookeeper-heap=64m", "--zookeeper=a:1")
	require.NoError(t, cfg.check(flags, nil), "nothing to do with it")
}

// TestTheHeapAndTheQuotaFitEachOther plans for many machines and wishes.
func TestTheHeapAndTheQuotaFitEachOther(t *testing.T) {
	for _, c := range []struct {
		args           []string
		memory, onDisk int64
		heap           int64 // 0 for any
		quota          int64 // 0 for what the heap holds
		warnings       string
	}{
		{memory: 64 * gib, quota: 2 * gib},
		{memory: 16 * gib, heap: 4 * gib},
		{memory: 4 * gib, heap: gib},
		{memory: 512 * mib, heap: 256 * mib},
		{args: []string{"--local-zookeeper-heap=2g"}, memory: 64 * gib, heap: 2 * gib},
		{args: []string{"--local-zookeeper-heap=16g"}, memory: 64 * gib, heap: 16 * gib, quota: 2 * gib},
		{args: []string{"--quota-backend-bytes=1048576"}, memory: 4 * gib, heap: gib, quota: mib},
		{args: []string{"--quota-backend-bytes=0"}, memory: 4 * gib, heap: gib},
		// A quota gets its heap, where the heap is left to zkine and the machine has it.
		{args: []string{"--quota-backend-bytes=2147483648"}, memory: 16 * gib, quota: 2 * gib},
		{args: []string{"--quota-backend-bytes=8589934592"}, memory: 16 * gib, heap: 8 * gib, warnings: "8589934592 is more than the local ZooKeeper's heap of 8.0 GiB can hold"},
		{args: []string{"--quota-backend-bytes=2147483648", "--local-zookeeper-heap=1g"}, memory: 64 * gib, heap: gib, warnings: "is more than"},
		{args: []string{"--quota-backend-bytes=-1"}, memory: 4 * gib, heap: gib, warnings: "is more than"},
		// What a release with a heap of 1 GiB has left.
		{memory: 2 * gib, onDisk: 250 * mib, quota: 250 * mib},
		{memory: 16 * gib, onDisk: gib, heap: 4 * gib},
		{memory: 2 * gib, onDisk: 900 * mib, quota: 286890971, warnings: "holds 900 MiB, too much for a heap of 1.0 GiB"},
		{args: []string{"--local-zookeeper-heap=256m"}, memory: 24 * gib, onDisk: 300 * mib, quota: 49700000, warnings: "holds 300 MiB, too much for a heap of 256 MiB"},
	} {
		flags, cfg := newFlags(t, c.args...)
		cfg.checkHeap(&checker{flags: flags})
		p := planLocal(*cfg, c.memory, c.onDisk)
		text := fmt.Sprintf("%v with %s of memory: %+v", c.args, bytesize.Text(c.memory), p)
		if c.heap != 0 {
			require.Equal(t, c.heap, p.heap, text)
		}
		if c.quota == 0 {
			c.quota = embedded.Capacity(p.heap, p.maxRequest)
		}
		if c.warnings == "" {
			require.Empty(t, p.warnings, text)
		} else {
			require.Contains(t, strings.Join(p.warnings, "\n"), c.warnings, text)
		}
		require.InDelta(t, c.quota, p.quota, mib, text)
		require.Positive(t, p.quota, text)
		require.LessOrEqual(t, p.quota, embedded.Capacity(p.heap, p.maxRequest), text)
		require.LessOrEqual(t, p.heap, p.maxHeap, text)
		require.GreaterOrEqual(t, p.maxRequest, minZooKeeperRequest, text)
		require.Less(t, p.heap, c.memory, text)
	}
}

// filler puts values that do not compress until they are refused.
type filler struct {
	t     *testing.T
	kv    pb.KVClient
	size  int
	most  int // values, after which something is wrong
	keys  int // different ones
	tasks int // at once
}

// fill returns how many were put, and the refusal.
func (f filler) fill() (int, error) {
	ctx, cancel := context.WithCancelCause(within(f.t))
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, done := 0, 0
	for range f.tasks {
		wg.Go(func() {
			value := make([]byte, f.size)
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i == f.most {
					cancel(nil)
				}
				for j := range value {
					value[j] = byte(rand.Uint32())
				}
				_, err := f.kv.Put(ctx, &pb.PutRequest{Key: fmt.Appendf(nil, "fill/%06d", i%f.keys), Value: value})
				if err != nil && ctx.Err() == nil {
					cancel(err)
					return
				}
				mu.Lock()
				done++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return done, context.Cause(ctx)
}

func (p *process) connect() *grpc.ClientConn {
	p.t.Helper()
	conn, err := grpc.NewClient(p.ready(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	return conn
}

// starts is how often the local ZooKeeper was started.
func (p *process) starts() int { return strings.Count(p.text(), "Started ZooKeeper") }

// TestALoadBeyondTheHeapEndsInNoSpace writes more than the local ZooKeeper's
// heap can hold: different keys, then the same ones again and again, whose
// history counts as much, then large values. Each time it ends with etcd's
// error, and with what an operator does then; ZooKeeper never dies.
func TestALoadBeyondTheHeapEndsInNoSpace(t *testing.T) {
	args := []string{dataDir(t), "--local-zookeeper-heap=160m"}
	p := startZkine(t, args)
	conn := p.connect()
	kv, maintenance := pb.NewKVClient(conn), pb.NewMaintenanceClient(conn)
	for _, f := range []filler{
		{size: 10 << 10, keys: 1 << 30, most: 20_000, tasks: 64},
		{size: 10 << 10, keys: 50, most: 20_000, tasks: 64},
		{size: 1 << 20, keys: 1 << 30, most: 200, tasks: 8},
	} {
		f.t, f.kv = t, kv
		n, err := f.fill()
		require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v after %d values of %d bytes", err, n, f.size)
		require.ErrorContains(t, err, "mvcc: database space exceeded")
		t.Logf("NOSPACE after %d values of %d bytes", n, f.size)
		require.Less(t, n, f.most)

		deleted, err := kv.DeleteRange(within(t), &pb.DeleteRangeRequest{Key: []byte("fill/"), RangeEnd: []byte("fill0")})
		require.NoError(t, err)
		_, err = kv.Compact(within(t), &pb.CompactionRequest{Revision: deleted.Header.Revision, Physical: true})
		require.NoError(t, err)
		_, err = maintenance.Defragment(within(t), &pb.DefragmentRequest{})
		require.NoError(t, err)
		alarms, err := maintenance.Alarm(within(t), &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE,
			Alarm: pb.AlarmType_NOSPACE, MemberID: deleted.Header.MemberId})
		require.NoError(t, err)
		require.Len(t, alarms.Alarms, 1)
		put(t, kv, "after", fmt.Sprint(f.size))
		s, err := maintenance.Status(within(t), &pb.StatusRequest{})
		require.NoError(t, err)
		require.Less(t, s.DbSize, s.DbSizeQuota/4)
	}
	require.Equal(t, 1, p.starts(), "ZooKeeper died")
	require.NotContains(t, p.text(), "ran out of heap")
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())
	expect(t, pb.NewKVClient(startZkine(t, args).connect()), "after", fmt.Sprint(1<<20))
}

// TestAnEnsemblesHeapIsComparedWithTheQuota asks servers that tell, and one that
// does not.
func TestAnEnsemblesHeapIsComparedWithTheQuota(t *testing.T) {
	open := zktest.Start(t, zktest.WithHeap(256*mib), zktest.WithProperty("4lw.commands.whitelist", "srvr,envi"))
	closed := zktest.Start(t, zktest.WithHeap(256*mib))
	for _, c := range []struct {
		server string
		args   []string
		want   string
	}{
		{server: open.Addr(), want: `: its heap of 2\d\d MiB does not hold what --quota-backend-bytes=2147483648 allows beside 500 requests of --max-zookeeper-request=921600; give it 6.7 GiB, or set these lower`},
		{server: open.Addr(), args: []string{"--quota-backend-bytes=-1"}, want: `: nothing keeps what it holds below its heap of 2\d\d MiB; set --quota-backend-bytes`},
		{server: open.Addr(), args: []string{"--quota-backend-bytes=33554432", "--max-zookeeper-request=65536"}},
		{server: closed.Addr()},
	} {
		flags, cfg := newFlags(t, append(c.args, "--zookeeper="+c.server)...)
		require.NoError(t, cfg.check(flags, nil))
		logger, said := logrustest.NewNullLogger()
		inspectEnsemble(within(t), &zkclient.Ensemble{Servers: cfg.zookeeper}, *cfg, logrus.NewEntry(logger))
		if c.want == "" {
			require.Empty(t, said.AllEntries(), "%v", c)
			continue
		}
		require.Len(t, said.AllEntries(), 1)
		require.Regexp(t, "^"+c.server+c.want+"$", said.LastEntry().Message)
	}
}

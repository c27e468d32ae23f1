package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// damaged is a root with a checkpoint, packed segments, slots and staged parts,
// and a client of ZooKeeper that harms it.
type damaged struct {
	t    *testing.T
	args []string
	root string
	conn *zk.Conn
}

// newDamaged fills a root as a zkine with short segments would.
func newDamaged(t *testing.T) *damaged {
	t.Helper()
	args, root, conn := sharedRoot(t)
	d := &damaged{t, args, root, conn}
	var b *backend.Backend
	open := func(cfg zklog.Config) {
		var err error
		b, err = backend.Open(within(t), d.openLog(cfg), backend.Config{Member: revision.Member{Name: "filler", ID: 1}, Log: silent()})
		require.NoError(t, err)
	}
	write := func(key string, value []byte) {
		_, err := b.Put(within(t), &pb.PutRequest{Key: []byte(key), Value: value})
		require.NoError(t, err)
	}
	open(zklog.Config{MaxSlots: 8, CheckpointFrom: 1})
	write("a", []byte("1"))
	require.Eventually(t, func() bool {
		for i := range 10 {
			write(fmt.Sprint("key", i), []byte("v"))
		}
		return d.checkpoints().Previous != nil
	}, limit, 10*time.Millisecond)
	require.NoError(t, b.Close())
	// With long segments, slots stay in the open one, in no pack.
	open(zklog.Config{})
	write("large", incompressible(1_300_000))
	for i := range 3 {
		write(fmt.Sprint("last", i), []byte("v"))
	}
	require.NoError(t, b.Close())
	return d
}

func silent() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

func incompressible(n int) []byte {
	value := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range value {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		value[i] = byte(x)
	}
	return value
}

func (d *damaged) openLog(cfg zklog.Config) *zklog.Log {
	d.t.Helper()
	cfg.Root, cfg.Name, cfg.Log = d.root, "filler", silent()
	cfg.Dialer = &zkclient.Ensemble{
		Servers: []string{zktest.Shared(d.t).Addr()}, Timeout: limit, MaxRequest: zklog.DefaultMaxRequest, Log: silent(),
	}
	log, err := zklog.Open(within(d.t), cfg)
	require.NoError(d.t, err)
	return log
}

// checkpointNames is what the harm needs of <root>/checkpoint.
type checkpointNames struct {
	Latest, Previous *struct {
		Attempt string
		Segment int64
	}
}

func (d *damaged) checkpoints() (c checkpointNames) {
	data, _, err := d.conn.Get(d.root + "/checkpoint")
	require.NoError(d.t, err)
	require.NoError(d.t, json.Unmarshal(data, &c))
	return c
}

func (d *damaged) children(path string) []string {
	names, _, err := d.conn.Children(path)
	if err == zk.ErrNoNode {
		return nil
	}
	require.NoError(d.t, err)
	slices.Sort(names)
	return names
}

// openSegment is the path of the segment that is appended to.
func (d *damaged) openSegment() string {
	data, _, err := d.conn.Get(d.root + "/log")
	require.NoError(d.t, err)
	var record struct {
		Open string `json:"open_segment"`
	}
	require.NoError(d.t, json.Unmarshal(data, &record))
	return d.root + "/log/" + record.Open
}

// slot is the path of a slot that a new zkine must read: in no pack and behind
// no checkpoint.
func (d *damaged) slot() string {
	segment := d.openSegment()
	slots := d.children(segment)
	require.NotEmpty(d.t, slots)
	return segment + "/" + slots[len(slots)/2]
}

func (d *damaged) staged() string {
	segment := strings.Replace(d.openSegment(), "/log/", "/stage/", 1)
	parts := d.children(segment)
	require.NotEmpty(d.t, parts)
	return segment + "/" + parts[0]
}

func (d *damaged) change(path string, f func([]byte) []byte) string {
	data, _, err := d.conn.Get(path)
	require.NoError(d.t, err, path)
	_, err = d.conn.Set(path, f(data), -1)
	require.NoError(d.t, err, path)
	return path
}

func (d *damaged) remove(path string) string {
	removeTree(d.t, d.conn, path)
	return path
}

func flip(b []byte) []byte { b[len(b)/2] ^= 4; return b }
func cut(b []byte) []byte  { return b[:len(b)*2/3] }

// TestDamageIsNamedAndNotServed harms what a running zkine has read already. It
// goes on, unless it is what it appends to. A zkine that starts must not serve what it cannot trust: it ends, and
// names the znode and what to do. zkine log verify names the same znode.
func TestDamageIsNamedAndNotServed(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(d *damaged) (path string)
		// says is what both must say.
		says string
		// fate is what becomes of zkines.
		fate fate
	}{
		{"a flipped bit in a slot", func(d *damaged) string { return d.change(d.slot(), flip) }, "corrupt", startingEnd},
		{"a truncated slot", func(d *damaged) string { return d.change(d.slot(), cut) }, "corrupt", startingEnd},
		{"an empty slot", func(d *damaged) string { return d.change(d.slot(), func([]byte) []byte { return nil }) }, "corrupt", startingEnd},
		{"a missing slot", func(d *damaged) string { return d.remove(d.slot()) }, "missing", startingEnd},
		{"a flipped bit in a staged part", func(d *damaged) string {
			path := d.change(d.staged(), flip)
			return strings.TrimRight(path, "0123456789") // the checksum is that of all parts
		}, "corrupt", startingEnd},
		{"a missing staged part", func(d *damaged) string { return d.remove(d.staged()) }, "missing", startingEnd},
		{"a missing segment", func(d *damaged) string { return d.remove(d.openSegment()) }, "", allEnd},
		{"a flipped bit in a chunk", func(d *damaged) string {
			at := d.root + "/checkpoint/" + d.checkpoints().Latest.Attempt
			return d.change(at+"/"+d.chunk(at), flip)
		}, "corrupt", startingEnd},
		{"a truncated chunk", func(d *damaged) string {
			at := d.root + "/checkpoint/" + d.checkpoints().Latest.Attempt
			return d.change(at+"/"+d.chunk(at), cut)
		}, "corrupt", startingEnd},
		{"a missing chunk", func(d *damaged) string {
			at := d.root + "/checkpoint/" + d.checkpoints().Latest.Attempt
			return d.remove(at + "/" + d.chunk(at))
		}, "", startingEnd},
		{"a missing first chunk", func(d *damaged) string {
			return d.remove(d.root + "/checkpoint/" + d.checkpoints().Latest.Attempt + "/c-0-0")
		}, "", startingEnd},
		{"a missing manifest", func(d *damaged) string {
			return d.remove(d.root + "/checkpoint/" + d.checkpoints().Latest.Attempt + "/m-0")
		}, "", startingEnd},
		{"a checkpoint record of nonsense", func(d *damaged) string {
			return d.change(d.root+"/checkpoint", func([]byte) []byte { return []byte("nonsense") })
		}, "", startingEnd},
		{"a record of the open segment of nonsense", func(d *damaged) string {
			return d.change(d.root+"/log", func([]byte) []byte { return []byte("{}") })
		}, "", allEnd},
		{"a slot with a closed ACL", func(d *damaged) string {
			path := d.slot()
			_, err := d.conn.SetACL(path, zk.DigestACL(zk.PermAll, "somebody", "else"), -1)
			require.NoError(d.t, err)
			return path
		}, "access denied", startingEnd},
		{"a foreign znode in the log", func(d *damaged) string {
			create(d.t, d.conn, d.root+"/log/notes", "x")
			return d.root + "/log/notes"
		}, "corrupt", startingEnd},
		{"a foreign znode in a segment", func(d *damaged) string {
			path := d.openSegment() + "/notes"
			create(d.t, d.conn, path, "x")
			return path
		}, "something else", allServe},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			other := startZkine(t, append(d.args, "--name=other"))
			kv := client(t, other.ready())
			put(t, kv, "before", "1")
			path := c.harm(d)

			code, out := d.verify()
			require.Equal(t, 1, code, out)
			require.Contains(t, out, path)
			require.Contains(t, out, c.says)

			started := startZkine(t, append(d.args, "--name=started"))
			if c.fate == allServe {
				expect(t, client(t, started.ready()), "a", "1")
			} else {
				requireProblem(t, started, path, c.says)
			}
			if c.fate == allEnd {
				requireProblem(t, other, path, "")
			} else {
				expect(t, kv, "a", "1")
			}
		})
	}
}

// fate is what becomes of zkines on a damaged root.
type fate int

const (
	startingEnd fate = iota // who starts ends, who runs goes on
	allEnd                  // it cannot go on without what was damaged
	allServe                // it does not matter to zkines
)

func requireProblem(t *testing.T, p *process, path, says string) {
	t.Helper()
	problem := p.problemOf(1, 3) // one that runs may find that the log went back, and halt the root
	require.Contains(t, problem, path)
	require.Contains(t, problem, says)
	require.Regexp(t, "docs/operations.md|backup|permissions|remove", problem)
}

// chunk is the name of the last chunk in an attempt's folder: of keys, which a
// start reads after all else.
func (d *damaged) chunk(attempt string) string {
	for _, name := range slices.Backward(d.children(attempt)) {
		if strings.HasPrefix(name, "c-") {
			return name
		}
	}
	require.FailNow(d.t, "no chunk in "+attempt)
	return ""
}

// verify runs zkine log verify, and returns its exit code and all that it prints.
func (d *damaged) verify() (code int, out string) {
	cmd := exec.Command(os.Args[0], append([]string{"log", "verify"}, d.args...)...)
	cmd.Env = append(os.Environ(), asZkine+"=1")
	text, _ := cmd.CombinedOutput() // its exit code is read off the state
	return cmd.ProcessState.ExitCode(), string(text)
}

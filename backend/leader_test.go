package backend_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// crew is some zkines on one root, in order of age, whose sessions outlast a
// test. All but the last can be cut off, without their sessions ending.
type crew struct {
	members []*backend.Backend
	ids     []uint64
	wires   []*zktest.Proxy
}

func newCrew(t *testing.T, size int) *crew {
	server := zktest.Start(t, zktest.WithTickTime(2*time.Second), zktest.WithProperty("minSessionTimeout", "40000"))
	c := &crew{}
	for i := range size {
		wire := zktest.NewProxy(t, server.Addr())
		d := &zkclient.Ensemble{Servers: []string{wire.Addr()}, Timeout: 40 * time.Second, MaxRequest: zklog.DefaultMaxRequest, Log: silent()}
		b := openOn(t, d, string(rune('a'+i)))
		c.members, c.wires = append(c.members, b), append(c.wires, wire)
		c.ids = append(c.ids, 1<<8+uint64('a'+i))
	}
	eventually(t, "all name the first", func() bool {
		for _, b := range c.members {
			if b.Status().Leader != c.ids[0] {
				return false
			}
		}
		return true
	})
	eventually(t, "the last one knows all", func() bool {
		known, _ := c.last().KnownMembers()
		return len(known) == size && c.last().Ready() == nil
	})
	return c
}

func (c *crew) last() *backend.Backend { return c.members[len(c.members)-1] }

func (c *crew) freeze(i int) {
	c.wires[i].Freeze(zktest.ToServer)
	c.wires[i].Freeze(zktest.ToClient)
}

// Callers that wait for less than a proof takes keep nobody from the truth.
func TestImpatientCallersLearnTheLeader(t *testing.T) {
	c := newCrew(t, 2)
	c.freeze(0)
	for began := time.Now(); c.last().Status().Leader != c.ids[1]; {
		require.Less(t, time.Since(began), patience, "nobody finds out")
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		c.last().ConfirmLeader(ctx)
		<-ctx.Done()
		cancel()
	}
}

// A keeper that is back is told as the leader also where nobody asks: metrics
// tell what is known.
func TestAKeeperThatIsBackIsNamedUnasked(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	at := func(c *zklog.Config) { c.Root = root }
	h := silentHolder(t, server.Addr(), root, func() { openOn(t, dialer(server.Addr()), "x", at).Close() })
	b := openOn(t, dialer(server.Addr()), "b", at)
	eventually(t, "the oldest is named", func() bool { return b.Status().Leader == silentID })
	eventually(t, "the other one is named", func() bool {
		b.ConfirmLeader(within(t))
		return b.Status().Leader != silentID
	})
	h.answer(t)
	began := time.Now()
	eventually(t, "the keeper is named again", func() bool { return b.Status().Leader == silentID })
	t.Logf("named again after %v", time.Since(began).Round(time.Millisecond))
}

const silentID = 7

// holder holds a member's znode as a zkine would, and answers when it is told to.
type holder struct {
	conn *zk.Conn
	path string
}

func silentHolder(t *testing.T, server, root string, makeRoot func()) *holder {
	makeRoot()
	conn, _, err := zk.Connect([]string{server}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	h := &holder{conn: conn, path: root + "/members/silent"}
	data, err := json.Marshal(map[string]any{"name": "silent", "id": silentID, "client_urls": []string{"http://silent"},
		"answers_challenges": true, "incarnation": map[string]any{"host": "pod", "boot": "b", "pid_namespace": "pid:[1]",
			"pid": 1, "started": "1", "nonce": revision.DrawNonce(rand.Reader)}})
	require.NoError(t, err)
	_, err = conn.Create(h.path, data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	return h
}

// answer answers challenges from now on.
func (h *holder) answer(t *testing.T) {
	ended := make(chan struct{})
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		for {
			data, stat, watch, err := h.conn.GetW(h.path)
			if err != nil {
				return
			}
			fields := map[string]any{}
			if json.Unmarshal(data, &fields) == nil && fields["challenge"] != fields["answer"] {
				fields["answer"] = fields["challenge"]
				answered, _ := json.Marshal(fields)
				h.conn.Set(h.path, answered, stat.Version) //nolint:errcheck // the watch tells
			}
			select {
			case <-watch:
			case <-stop:
				return
			}
		}
	}()
}

// Several dead members cost no more time than one or two.
func TestManyDeadMembers(t *testing.T) {
	c := newCrew(t, 5)
	for i := range 4 {
		c.freeze(i)
	}
	began := time.Now()
	c.last().ConfirmLeader(within(t))
	took := time.Since(began)
	t.Logf("the first answer took %v", took.Round(time.Millisecond))
	require.Less(t, took, 3*time.Second)
	require.Equal(t, c.ids[4], c.last().Status().Leader)
	quickest := patience
	for range 5 { // it is known now, and found out again beside what callers get
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		c.last().ConfirmLeader(within(t))
		quickest = min(quickest, time.Since(began)) // a busy machine has others wait for itself
		require.Equal(t, c.ids[4], c.last().Status().Leader)
	}
	require.Less(t, quickest, 300*time.Millisecond)
}

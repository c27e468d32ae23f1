package zklog_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// leftBehind puts up the znode of a member that was killed: another process of
// another PID namespace, whose session lasts on. extra are further fields.
func leftBehind(t *testing.T, server, root, name string, extra map[string]any) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{server}, outlasting, zk.WithLogInfo(false), zk.WithLogger(noLog{}))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	fields := map[string]any{"name": name, "id": 7, "client_urls": []string{"http://gone"}, "answers_challenges": true,
		"incarnation": map[string]any{"host": "pod", "boot": "b", "pid_namespace": "pid:[1]", "pid": 1, "started": "1",
			"nonce": revision.DrawNonce(rand.Reader)}}
	for k, v := range extra {
		fields[k] = v
	}
	data, err := json.Marshal(fields)
	require.NoError(t, err)
	_, err = conn.Create(root+"/members/"+name, data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	return conn
}

type noLog struct{}

func (noLog) Printf(string, ...any) {}

// memberURL is the URL of the only member; "" for none, as there is for a moment
// when a name is taken over.
func memberURL(t *testing.T, r *reader) string {
	members, err := r.log.Members(t.Context())
	require.NoError(t, err)
	if len(members) == 0 {
		return ""
	}
	require.Len(t, members, 1)
	return members[0].ClientURLs[0]
}

// TestANameOfADeadMember starts a zkine whose name the session of a killed one
// still holds: it serves at once, and is in the list long before that session is
// over.
func TestANameOfADeadMember(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(2*time.Second), zktest.WithProperty("minSessionTimeout", "40000"))
	r := openLog(t, zklog.Config{Dialer: lasting(server.Addr())})
	leftBehind(t, server.Addr(), "/zkine", "a", nil)
	require.Equal(t, 40*time.Second, r.log.SessionTimeout())
	began := time.Now()
	require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 7, ClientURLs: []string{"http://here"}}))
	require.Less(t, time.Since(began), 3*time.Second)
	require.Equal(t, "http://gone", memberURL(t, r))
	require.Eventually(t, func() bool { return memberURL(t, r) == "http://here" }, 30*time.Second, 50*time.Millisecond)
	t.Logf("served after at most 3 s, listed after %v", time.Since(began).Round(time.Millisecond))
	require.Less(t, time.Since(began), 30*time.Second, "the session lasts for 40 s")
	r.append(batchOf(put("k", "v")))

	// It holds the name as any other does.
	twin := openLog(t, zklog.Config{Dialer: lasting(server.Addr())})
	began = time.Now()
	err := twin.log.Join(t.Context(), revision.Member{Name: "a", ID: 7})
	require.ErrorIs(t, err, revision.ErrNameTaken)
	require.ErrorContains(t, err, "start with another --name")
	require.Less(t, time.Since(began), 3*time.Second, "it is refused at once")
	require.Equal(t, "http://here", memberURL(t, r))
}

// TestANameOfAnEarlierReleasesMember waits for the end of a session whose holder
// cannot be asked, and serves until then.
func TestANameOfAnEarlierReleasesMember(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	r := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	holder := leftBehind(t, server.Addr(), root, "a", map[string]any{"answers_challenges": false})
	require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 7, ClientURLs: []string{"http://here"}}))
	r.append(batchOf(put("k", "v")))
	for began := time.Now(); time.Since(began) < 7*time.Second; time.Sleep(100 * time.Millisecond) {
		require.Equal(t, "http://gone", memberURL(t, r), "it may live")
	}
	holder.Close()
	require.Eventually(t, func() bool { return memberURL(t, r) == "http://here" }, 30*time.Second, 50*time.Millisecond)
}

// TestAMemberThatWakesUpEnds cuts a member off until another one of its name has
// taken that over. Of the two one must go on, and the other say why it ends.
func TestAMemberThatWakesUpEnds(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(2*time.Second))
	proxy := zktest.NewProxy(t, server.Addr())
	asleep := openLog(t, zklog.Config{Dialer: lasting(proxy.Addr())})
	require.NoError(t, asleep.log.Join(t.Context(), revision.Member{Name: "a", ID: 7, ClientURLs: []string{"http://asleep"}}))
	proxy.Freeze(zktest.ToServer)
	proxy.Freeze(zktest.ToClient)
	r := openLog(t, zklog.Config{Dialer: lasting(server.Addr())})
	require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 7, ClientURLs: []string{"http://here"}}))
	require.Eventually(t, func() bool { return memberURL(t, r) == "http://here" }, 30*time.Second, 50*time.Millisecond)
	proxy.Thaw(zktest.ToServer)
	proxy.Thaw(zktest.ToClient)
	asleep.until("it ends", func(_ []revision.Slot, err error) bool { return errors.Is(err, revision.ErrNameTaken) })
	require.Equal(t, "http://here", memberURL(t, r))
	r.append(batchOf(put("k", "v")))
}

// TestTwoClaimants has two zkines start at once with the name of a dead one.
func TestTwoClaimants(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	openLog(t, zklog.Config{Dialer: lasting(server.Addr()), Root: root})
	leftBehind(t, server.Addr(), root, "a", nil)
	outcomes := make(chan error, 2)
	for i := range 2 {
		r := openLog(t, zklog.Config{Dialer: lasting(server.Addr()), Root: root})
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			err := r.log.Join(ctx, revision.Member{Name: "a", ID: 7, ClientURLs: []string{fmt.Sprint("http://", i)}})
			if err == nil {
				_, err = r.log.Barrier(ctx)
			}
			for err == nil && ctx.Err() == nil && r.log.Connected() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			outcomes <- errors.Join(err, r.log.Connected())
		}()
	}
	require.ErrorIs(t, <-outcomes, revision.ErrNameTaken)
	select {
	case err := <-outcomes:
		require.NoError(t, err, "the other one goes on")
	case <-time.After(2 * time.Second):
	}
}

// TestJoinUnderAUsedUpQuota: a member that ZooKeeper has no place for serves what
// it can, over sessions too, and is listed once there is a place.
func TestJoinUnderAUsedUpQuota(t *testing.T) {
	server := zktest.Start(t, zktest.WithEnforcedQuotas(), zktest.WithTickTime(2*time.Second))
	proxy := zktest.NewProxy(t, server.Addr())
	r := openLog(t, zklog.Config{Dialer: lasting(proxy.Addr())})
	r.append(batchOf(put("k", "v")))
	server.SetQuota("/zkine", 5, -1)
	require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 7, ClientURLs: []string{"http://here"}}))
	serves := func() {
		_, err := r.log.Barrier(t.Context())
		require.NoError(t, err)
	}
	serves()
	proxy.CutAll()
	serves()
	server.SetQuota("/zkine", -1, -1)
	require.Eventually(t, func() bool {
		members, err := r.log.Members(t.Context())
		return err == nil && len(members) == 1
	}, 20*time.Second, 50*time.Millisecond)
}

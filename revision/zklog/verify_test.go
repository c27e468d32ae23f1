package zklog_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zktest"
)

// filled is a root with two sealed segments and a staged batch.
func filled(t *testing.T) (*memzk.Ensemble, *reader) {
	t.Helper()
	e := memzk.New()
	r := openLog(t, zklog.Config{Dialer: e, MaxSlots: 5, MaxRequest: 100 << 10})
	r.append(batchOf(put("large", string(incompressible(300_000)))))
	for i := 0; ; i++ {
		if seq := r.append(batchOf(put(fmt.Sprint(i), "v"))).Seq; seq.Segment == 3 {
			r.reach(seq)
			return e, r
		}
	}
}

func verify(t *testing.T, e *memzk.Ensemble) *zkroot.Verified {
	t.Helper()
	v, err := zklog.Verify(t.Context(), zklog.Config{Dialer: e, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	return v
}

func TestVerifyOfASoundLog(t *testing.T) {
	e, r := filled(t)
	v := verify(t, e)
	require.Empty(t, v.Findings)
	require.Equal(t, r.log.ClusterID(), v.ClusterID)
	require.Equal(t, 3, v.Segments)
	require.EqualValues(t, len(r.slots), v.Slots)
	require.Greater(t, v.Bytes, int64(300_000))
	require.Zero(t, v.Orphans)
}

func TestVerifyNamesEachThingThatIsWrong(t *testing.T) {
	flip := func(b []byte) []byte { b[len(b)/2] ^= 4; return b }
	cut := func(b []byte) []byte { return b[:len(b)-3] }
	create := func(t *testing.T, e *memzk.Ensemble, path string) string {
		conn, err := e.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Multi(t.Context(), &zk.CreateRequest{Path: path, Data: []byte("x")})
		require.NoError(t, err)
		return path
	}
	segment := func(t *testing.T, e *memzk.Ensemble, k string) string {
		for _, name := range children(t, e, "/zkine/log") {
			if strings.HasPrefix(name, k+"-") {
				return "/zkine/log/" + name
			}
		}
		require.FailNow(t, "no segment "+k)
		return ""
	}
	cases := []struct {
		name string
		harm func(t *testing.T, e *memzk.Ensemble) (path string)
		want error
	}{
		{"flipped bit in a slot", func(t *testing.T, e *memzk.Ensemble) string {
			path := segment(t, e, "2") + "/s-0000000001"
			e.Overwrite(path, flip)
			return path
		}, revision.ErrCorrupt},
		{"truncated slot", func(t *testing.T, e *memzk.Ensemble) string {
			path := segment(t, e, "2") + "/s-0000000001"
			e.Overwrite(path, cut)
			return path
		}, revision.ErrCorrupt},
		{"missing slot", func(t *testing.T, e *memzk.Ensemble) string {
			path := segment(t, e, "1") + "/s-0000000002"
			e.Remove(path)
			return path
		}, revision.ErrCorrupt},
		{"flipped bit in a staged part", func(t *testing.T, e *memzk.Ensemble) string {
			stage := strings.Replace(segment(t, e, "1"), "/log/", "/stage/", 1)
			e.Overwrite(stage+"/"+children(t, e, stage)[0], flip)
			return segment(t, e, "1") + "/s-0000000000"
		}, revision.ErrCorrupt},
		{"missing staged part", func(t *testing.T, e *memzk.Ensemble) string {
			stage := strings.Replace(segment(t, e, "1"), "/log/", "/stage/", 1)
			e.Remove(stage + "/" + children(t, e, stage)[1])
			return segment(t, e, "1") + "/s-0000000000"
		}, revision.ErrCorrupt},
		{"missing segment", func(t *testing.T, e *memzk.Ensemble) string {
			e.Remove(segment(t, e, "2"))
			return segment(t, e, "3")
		}, revision.ErrCorrupt},
		{"foreign znode in the log", func(t *testing.T, e *memzk.Ensemble) string {
			return create(t, e, "/zkine/log/notes")
		}, revision.ErrCorrupt},
		{"foreign znode in a segment", func(t *testing.T, e *memzk.Ensemble) string {
			return create(t, e, segment(t, e, "1")+"/notes")
		}, revision.ErrForeignRoot},
		{"overwritten open-segment record", func(_ *testing.T, e *memzk.Ensemble) string {
			e.Overwrite("/zkine/log", func([]byte) []byte { return []byte("{}") })
			return "/zkine/log"
		}, revision.ErrCorrupt},
		{"overwritten format", func(_ *testing.T, e *memzk.Ensemble) string {
			e.Overwrite("/zkine/format", func([]byte) []byte { return []byte("hello") })
			return "/zkine/format"
		}, revision.ErrForeignRoot},
		{"missing format", func(_ *testing.T, e *memzk.Ensemble) string {
			e.Remove("/zkine/format")
			return "/zkine/format"
		}, revision.ErrCorrupt},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, _ := filled(t)
			path := c.harm(t, e)
			v := verify(t, e)
			require.NotEmpty(t, v.Findings)
			paths := map[string]error{}
			for _, f := range v.Findings {
				paths[f.Path] = f.Err
			}
			require.ErrorIs(t, paths[path], c.want, "%v", v.Findings)
		})
	}
}

func TestOrphansAreHarmless(t *testing.T) {
	e, r := filled(t)
	stage := "/zkine/stage/" + children(t, e, "/zkine/stage")[0]
	conn, err := e.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Multi(t.Context(), &zk.CreateRequest{Path: stage + "/" + revision.DrawNonce(rand.Reader).String() + "-0"})
	require.NoError(t, err)
	v := verify(t, e)
	require.Empty(t, v.Findings)
	require.Equal(t, 1, v.Orphans)
	require.NotEmpty(t, r.slots)
}

// TestWrongACLIsNamed needs a real ZooKeeper: memzk has no ACLs.
func TestWrongACLIsNamed(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	a.reach(a.append(batchOf(put("a", "1"))).Seq)
	conn, _, err := zk.Connect([]string{server.Addr()}, 2*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	names, _, err := conn.Children(root + "/log")
	require.NoError(t, err)
	slot := root + "/log/" + names[0] + "/s-0000000000"
	_, err = conn.SetACL(slot, zk.DigestACL(zk.PermAll, "somebody", "else"), -1)
	require.NoError(t, err)
	b := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	b.until("stop", func(_ []revision.Slot, err error) bool { return err != nil })
	require.ErrorIs(t, b.err, revision.ErrForbidden)
	require.ErrorContains(t, b.err, slot)
	v, err := zklog.Verify(t.Context(), zklog.Config{Dialer: dialer(server.Addr()), Root: root, Log: quiet()})
	require.NoError(t, err)
	require.Len(t, v.Findings, 1)
	require.ErrorIs(t, v.Findings[0].Err, revision.ErrForbidden)
	require.Equal(t, slot, v.Findings[0].Path)
}

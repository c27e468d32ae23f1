package server

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Pages of any size have the folders and keys that a walk over all keys finds.
func TestConsoleKeys(t *testing.T) {
	l := startConsole(t)
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewSource(seed))
	parts := []string{"a", "b", "c/", "/", "dd/", "\xff", "e"}
	keys := map[string]bool{}
	for len(keys) < 400 {
		key := ""
		for range 1 + random.Intn(5) {
			key += parts[random.Intn(len(parts))]
		}
		keys[key] = true
	}
	for i := range 300 { // more than is read at a time
		keys[fmt.Sprintf("c/many/%03d", i)] = true
	}
	for key := range keys {
		l.put(key, "x")
	}
	for _, prefix := range []string{"", "a", "c/", "c/many/", "/", "dd/", "\xff", "nothing"} {
		want := map[string]int64{}
		for key := range keys {
			rest, below := strings.CutPrefix(key, prefix)
			if !below {
				continue
			}
			if end := strings.IndexByte(rest[min(1, len(rest)):], '/'); len(rest) > 1 && end >= 0 {
				want[prefix+rest[:end+2]]++ // a folder
			} else {
				want[key] = 0
			}
		}
		for _, limit := range []string{"1", "7", "1000"} {
			have, from, last := map[string]int64{}, "", ""
			for first := true; first || from != ""; first = false {
				page := read[listed](l, "keys", "prefix", strings.ReplaceAll(prefix, "\xff", "%FF"), "from", from, "limit", limit)
				for _, e := range page.Entries {
					key := strings.ReplaceAll(e.Key, "%FF", "\xff")
					require.Less(t, last, key, "in order, and once")
					have[key], last = e.Count, key
				}
				from = page.Next
			}
			// A key that is a folder's name, too, is listed before it; it counts as in it here.
			require.Equal(t, want, have, "prefix %q, limit %s", prefix, limit)
		}
	}
}

type versions struct {
	Versions []struct {
		Modified, Version int64
		Deleted           bool
		Text              string
	}
	Next      int64
	Compacted bool
}

func TestConsoleHistory(t *testing.T) {
	l := startConsole(t)
	for i := range 30 {
		l.put("k", fmt.Sprint("value ", i))
		l.put("other", "x")
	}
	part := read[versions](l, "history", "key", "k")
	require.Len(t, part.Versions, 20)
	require.Equal(t, "value 29", part.Versions[0].Text)
	rest := read[versions](l, "history", "key", "k", "before", fmt.Sprint(part.Next))
	require.Len(t, rest.Versions, 10)
	require.Equal(t, "value 9", rest.Versions[0].Text)
	require.Equal(t, int64(1), rest.Versions[9].Version)
	require.False(t, rest.Compacted)

	code, body := l.ask("api/value", "key", "k", "revision", fmt.Sprint(part.Versions[3].Modified))
	require.Equal(t, 200, code)
	require.Contains(t, body, "value 26")

	_, err := l.m.kv.Compact(ctxFor(t), &pb.CompactionRequest{Revision: part.Versions[2].Modified})
	require.NoError(t, err)
	part = read[versions](l, "history", "key", "k")
	require.Len(t, part.Versions, 3)
	require.True(t, part.Compacted)
	code, _ = l.ask("api/value", "key", "k", "revision", "2")
	require.Equal(t, 410, code)

	// A key that is gone: what deleted it, and what it was.
	_, err = l.m.kv.DeleteRange(ctxFor(t), &pb.DeleteRangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	part = read[versions](l, "history", "key", "k")
	require.Len(t, part.Versions, 4)
	require.True(t, part.Versions[0].Deleted)
	require.Equal(t, "value 29", part.Versions[1].Text)
	code, _ = l.ask("api/value", "key", "k")
	require.Equal(t, 404, code)
	require.Empty(t, read[versions](l, "history", "key", "never").Versions)
}

func TestConsoleSearch(t *testing.T) {
	l := startConsole(t)
	for i := range 250 {
		l.put(fmt.Sprintf("/pods/Web-%03d", i), "web")
	}
	type found struct {
		Entries  []struct{ Key string }
		Searched int
		Next     string
	}
	first := read[found](l, "search", "text", "wEB-")
	require.Len(t, first.Entries, 200)
	require.Len(t, read[found](l, "search", "text", "web-", "from", first.Next).Entries, 50)
	require.Empty(t, read[found](l, "search", "text", "web", "prefix", "/none/").Entries)
	code, _ := l.ask("api/search", "text", "")
	require.Equal(t, 400, code)
}

package clients

import "testing"

// TestEtcdctlWatch shows watches that go on: what is printed comes as it happens.
func TestEtcdctlWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		put(t, c, "k", "one")
		put(t, c, "other", "x")
		w := startEtcdctl(t, endpoint, "watch", "--rev=1", "--prev-kv", "k")
		w.prints("PUT", "k", "one")
		put(t, c, "k", "two")
		w.prints("PUT", "k", "one", "k", "two")
		play(t, endpoint, []step{{command: "etcdctl del k", want: "1"}})
		w.prints("DELETE", "k", "two", "k", "")
		w.crash()

		w = startEtcdctl(t, endpoint, "watch", "--rev=1", "k", "--", "printenv", "ETCD_WATCH_EVENT_TYPE", "ETCD_WATCH_VALUE")
		w.prints("PUT", "k", "one", "PUT", "k", "two", "DELETE", "k", "") // what came in one response
		w.prints(`"PUT"`, `"one"`, `"PUT"`, `"two"`, `"DELETE"`, `""`)
		w.crash()

		w = startEtcdctl(t, endpoint, "watch", "--rev=1", "a", "l", "-w", "json")
		w.prints(`{"Header":{"cluster_id":<cluster>,"member_id":<member>,"revision":5,"raft_term":<term>},"Events":[` +
			`{"kv":{"key":"aw==","create_revision":2,"mod_revision":2,"version":1,"value":"b25l"}},` +
			`{"kv":{"key":"aw==","create_revision":2,"mod_revision":4,"version":2,"value":"dHdv"}},` +
			`{"type":1,"kv":{"key":"aw==","mod_revision":5}}],"CompactRevision":0,"Canceled":false,"Created":false,"CancelReason":""}`)
		w.crash()
	})
}

// TestEtcdctlWatchInteractive types what watch -i takes.
func TestEtcdctlWatchInteractive(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		put(t, c, "k", "one")
		w := startEtcdctl(t, endpoint, "watch", "-i")
		w.types("nonsense")
		w.prints("Invalid command nonsense (only support watch)")
		w.types("watch")
		w.prints("Invalid command watch (command type or key is not provided)")
		w.types("watch --rev=1 k -- echo seen")
		w.prints("PUT", "k", "one", "seen")
		put(t, c, "other", "x")
		w.types("progress")
		w.prints("progress notify: 3")
		put(t, c, "k", "two")
		w.prints("PUT", "k", "two", "seen")
		w.types("watch --rev=3 --prefix ot")
		w.prints("PUT", "other", "x")
		if err := w.stdin.Close(); err != nil {
			t.Fatal(err)
		}
		w.prints("Error: error reading watch request line: EOF")
		if code := w.ends(); code != 3 {
			t.Fatalf("ended with %d", code)
		}
	})
}

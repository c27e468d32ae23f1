package memzk_test

import (
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
)

// watch arms a watch on a znode that is there.
func (s *store) watch(path string) zkclient.Watched {
	s.Helper()
	watched, err := s.GetW(s.ctx(), path)
	require.NoError(s, err)
	return watched
}

// fires fails unless a watch has one event, of a kind.
func (s *store) fires(w zkclient.Watched, path string, kind zk.EventType) {
	s.Helper()
	select {
	case e := <-w.Event:
		require.Equal(s, kind, e.Type)
		require.Equal(s, path, e.Path)
	case <-time.After(30 * time.Second):
		require.FailNow(s, "the watch did not fire")
	}
}

// silent fails if a watch has an event. A read on the session comes first: what
// the server had to say before is here then.
func (s *store) silent(w zkclient.Watched) {
	s.Helper()
	s.read(s.root)
	select {
	case e, open := <-w.Event:
		require.False(s, open, "the watch fired: %v", e)
	default:
	}
}

var watchCases = []contractCase{
	{"a watch reads", func(s *store) {
		s.must(create(s.at("a"), "data"))
		w := s.watch(s.at("a"))
		data, stat := s.read(s.at("a"))
		require.Equal(s, data, string(w.Data))
		require.Equal(s, stat, w.Stat)
		_, err := s.GetW(s.ctx(), s.at("none"))
		require.ErrorIs(s, err, zk.ErrNoNode)
	}},
	{"a watch fires for a change and is used up", func(s *store) {
		other := s.dial()
		s.must(create(s.at("a"), ""))
		w := s.watch(s.at("a"))
		for range 2 {
			_, err := other.Multi(s.ctx(), set(s.at("a"), "", -1))
			require.NoError(s, err)
		}
		s.fires(w, s.at("a"), zk.EventNodeDataChanged)
		_, err := other.Multi(s.ctx(), set(s.at("a"), "", -1))
		require.NoError(s, err)
		s.silent(w)
		again := s.watch(s.at("a"))
		_, err = other.Multi(s.ctx(), remove(s.at("a"), -1))
		require.NoError(s, err)
		s.fires(again, s.at("a"), zk.EventNodeDeleted)
		s.silent(w)
	}},
	{"one's own changes fire, too, and before their answer", func(s *store) {
		s.must(create(s.at("a"), ""))
		w := s.watch(s.at("a"))
		s.must(set(s.at("a"), "1", -1))
		select {
		case e := <-w.Event:
			require.Equal(s, zk.EventNodeDataChanged, e.Type)
		default:
			require.Fail(s, "the answer came before the event")
		}
	}},
	{"an event comes before what it tells of can be read", func(s *store) {
		other := s.dial()
		s.must(create(s.at("a"), "0"))
		for i := range 20 {
			w := s.watch(s.at("a"))
			changed := make(chan error, 1)
			go func() {
				_, err := other.Multi(s.ctx(), set(s.at("a"), "1", int32(i)))
				changed <- err
			}()
			for {
				if _, stat := s.read(s.at("a")); stat.Version > int32(i) {
					break
				}
			}
			select {
			case e := <-w.Event:
				require.Equal(s, zk.EventNodeDataChanged, e.Type)
			default:
				require.Fail(s, "the new data came before the event")
			}
			require.NoError(s, <-changed)
		}
	}},
	{"all watches on a znode fire", func(s *store) {
		s.must(create(s.at("a"), ""))
		first, second := s.watch(s.at("a")), s.watch(s.at("a"))
		s.must(set(s.at("a"), "", -1))
		s.fires(first, s.at("a"), zk.EventNodeDataChanged)
		s.fires(second, s.at("a"), zk.EventNodeDataChanged)
	}},
	{"a multi that changes a znode twice fires once", func(s *store) {
		s.must(create(s.at("a"), ""))
		w := s.watch(s.at("a"))
		s.must(set(s.at("a"), "1", -1), set(s.at("a"), "2", -1), remove(s.at("a"), -1), create(s.at("a"), ""))
		s.fires(w, s.at("a"), zk.EventNodeDataChanged)
		s.silent(w)
	}},
	{"what changes no data does not fire", func(s *store) {
		s.must(create(s.at("a"), ""))
		w := s.watch(s.at("a"))
		s.must(create(s.at("a/b"), ""), check(s.at("a"), 0))
		s.must(remove(s.at("a/b"), -1))
		s.fails(zk.ErrBadVersion, 1, set(s.at("a"), "", 0), check(s.at("a"), 7))
		s.silent(w)
		s.must(set(s.at("a"), "", 0))
		s.fires(w, s.at("a"), zk.EventNodeDataChanged)
	}},
	{"a watch hears of the end of its session", func(s *store) {
		other := s.dial()
		s.must(create(s.at("a"), ""))
		w, err := other.GetW(s.ctx(), s.at("a"))
		require.NoError(s, err)
		other.Close()
		s.fires(w, s.at("a"), zk.EventNotWatching)
	}},
}

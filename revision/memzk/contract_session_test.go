package memzk_test

import (
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
)

var sessionCases = []contractCase{
	{"ephemerals go with their session", func(s *store) {
		other := s.dial()
		_, err := other.Multi(s.ctx(), flagged(s.at("e"), zk.FlagEphemeral), flagged(s.at("e-"), zk.FlagEphemeral|zk.FlagSequence), create(s.at("p"), ""))
		require.NoError(s, err)
		s.must(flagged(s.at("mine"), zk.FlagEphemeral))
		_, before := s.read(s.root)
		w := s.watch(s.at("e"))
		other.Close()
		s.fires(w, s.at("e"), zk.EventNodeDeleted)
		require.Equal(s, []string{"mine", "p"}, s.children(s.root))
		_, after := s.read(s.root)
		require.Equal(s, before.Cversion+2, after.Cversion)
		require.Greater(s, after.Pzxid, before.Pzxid)
	}},
	{"anyone may change and delete an ephemeral", func(s *store) {
		other := s.dial()
		_, err := other.Multi(s.ctx(), flagged(s.at("e"), zk.FlagEphemeral))
		require.NoError(s, err)
		_, stat := s.read(s.at("e"))
		s.must(set(s.at("e"), "changed", 0))
		_, now := s.read(s.at("e"))
		require.Equal(s, stat.EphemeralOwner, now.EphemeralOwner)
		s.must(remove(s.at("e"), 1), create(s.at("e"), "mine"))
		other.Close()
		data, _ := s.read(s.at("e"))
		require.Equal(s, "mine", data, "it is not the session's any more")
	}},
	{"nothing is answered on a session that has ended", func(s *store) {
		other := s.dial()
		require.Positive(s, other.SessionTimeout())
		select {
		case <-other.Done():
			require.Fail(s, "it has not ended yet")
		default:
		}
		other.Close()
		other.Close() // as often as one likes
		<-other.Done()
		_, err := other.Multi(s.ctx(), create(s.at("a"), ""))
		require.Error(s, err)
		require.False(s, zkclient.Definite(err))
		_, _, err = other.Get(s.ctx(), s.root)
		require.Error(s, err)
		_, err = other.GetW(s.ctx(), s.root)
		require.Error(s, err)
		_, err = other.Children(s.ctx(), s.root)
		require.Error(s, err)
		_, err = other.Exists(s.ctx(), s.root)
		require.Error(s, err)
		s.gone(s.at("a"))
	}},
	{"a session reads what it wrote, and all that was written before", func(s *store) {
		other := s.dial()
		s.must(create(s.at("a"), ""))
		for i := range int32(20) {
			s.must(set(s.at("a"), fmt.Sprint(i), i))
			data, _ := s.read(s.at("a"))
			require.Equal(s, fmt.Sprint(i), data)
			_, err := other.Multi(s.ctx(), check(s.root, -1)) // a quorum write
			require.NoError(s, err)
			got, _, err := other.Get(s.ctx(), s.at("a"))
			require.NoError(s, err)
			require.Equal(s, fmt.Sprint(i), string(got))
		}
	}},
	{"of writers that check the same version one wins", func(s *store) {
		s.must(create(s.at("a"), ""))
		const writers = 8
		errs := make(chan error, writers)
		for range writers {
			conn := s.dial()
			go func() {
				_, err := conn.Multi(s.ctx(), set(s.at("a"), "", 0), flagged(s.at("s-"), zk.FlagSequence))
				errs <- err
			}()
		}
		won := 0
		for range writers {
			if err := <-errs; err == nil {
				won++
			} else {
				require.ErrorIs(s, err, zk.ErrBadVersion)
			}
		}
		require.Equal(s, 1, won)
		require.Equal(s, []string{"a", "s-0000000001"}, s.children(s.root))
	}},
	{"appends of several sessions are dense and in the order of their zxids", func(s *store) {
		const writers, each = 4, 10
		s.must(create(s.at("log"), ""))
		errs := make(chan error, writers)
		for range writers {
			conn := s.dial()
			go func() {
				var err error
				for i := 0; i < each && err == nil; i++ {
					_, err = conn.Multi(s.ctx(), set(s.at("log"), "", -1), flagged(s.at("log/s-"), zk.FlagSequence))
				}
				errs <- err
			}()
		}
		for range writers {
			require.NoError(s, <-errs)
		}
		_, log := s.read(s.at("log"))
		require.EqualValues(s, writers*each, log.Version)
		last := int64(0)
		for i := range writers * each {
			_, stat := s.read(fmt.Sprintf("%s/s-%010d", s.at("log"), i))
			require.Greater(s, stat.Czxid, last)
			last = stat.Czxid
		}
		require.Equal(s, last, log.Mzxid)
	}},
	{"sessions say how long they may be silent", func(s *store) {
		require.GreaterOrEqual(s, s.SessionTimeout(), time.Second)
	}},
}

package memzk_test

import (
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

var statCases = []contractCase{
	{"a new znode's stat", func(s *store) {
		before := time.Now()
		s.must(create(s.at("a"), "12345"))
		_, stat := s.read(s.at("a"))
		require.Positive(s, stat.Czxid)
		require.WithinDuration(s, before, time.UnixMilli(stat.Mtime), time.Minute)
		require.Equal(s, &zk.Stat{Czxid: stat.Czxid, Mzxid: stat.Czxid, Pzxid: stat.Czxid, Ctime: stat.Mtime, Mtime: stat.Mtime, DataLength: 5}, stat)
	}},
	{"a set changes version, length and zxid", func(s *store) {
		s.must(create(s.at("a"), "12345"))
		_, before := s.read(s.at("a"))
		result := s.must(set(s.at("a"), "123", 0))[0].Stat
		_, after := s.read(s.at("a"))
		require.Equal(s, after, result, "the multi tells the same")
		require.Equal(s, before.Czxid, after.Czxid)
		require.Equal(s, before.Ctime, after.Ctime)
		require.Greater(s, after.Mzxid, before.Mzxid)
		require.GreaterOrEqual(s, after.Mtime, before.Mtime)
		require.EqualValues(s, 1, after.Version)
		require.EqualValues(s, 3, after.DataLength)
	}},
	{"children change the parent's stat but for its version", func(s *store) {
		_, before := s.read(s.root)
		s.must(create(s.at("a"), ""), create(s.at("b"), ""))
		_, child := s.read(s.at("b"))
		_, after := s.read(s.root)
		require.EqualValues(s, 2, after.NumChildren)
		require.EqualValues(s, 2, after.Cversion)
		require.Equal(s, child.Czxid, after.Pzxid)
		s.must(remove(s.at("a"), -1))
		_, last := s.read(s.root)
		require.EqualValues(s, 1, last.NumChildren)
		require.EqualValues(s, 3, last.Cversion, "deletions count, too")
		require.Greater(s, last.Pzxid, after.Pzxid)
		require.Equal(s, before.Version, last.Version)
		require.Equal(s, before.Mzxid, last.Mzxid)
		s.must(create(s.at("b/c"), ""))
		_, grandparent := s.read(s.root)
		require.Equal(s, last, grandparent, "grandchildren change nothing")
	}},
	{"Exists tells what Get tells, without the data", func(s *store) {
		s.must(create(s.at("a"), "12345"), create(s.at("a/b"), ""))
		_, want := s.read(s.at("a"))
		stat, err := s.Exists(s.ctx(), s.at("a"))
		require.NoError(s, err)
		require.Equal(s, want, stat)
		_, err = s.Exists(s.ctx(), s.at("none"))
		require.ErrorIs(s, err, zk.ErrNoNode)
	}},
	{"an ephemeral's stat names its session", func(s *store) {
		other := s.dial()
		s.must(flagged(s.at("a"), zk.FlagEphemeral), flagged(s.at("b-"), zk.FlagEphemeral|zk.FlagSequence))
		_, err := other.Multi(s.ctx(), flagged(s.at("c"), zk.FlagEphemeral))
		require.NoError(s, err)
		_, a := s.read(s.at("a"))
		_, b := s.read(s.at("b-0000000001"))
		_, c := s.read(s.at("c"))
		require.NotZero(s, a.EphemeralOwner)
		require.Equal(s, a.EphemeralOwner, b.EphemeralOwner)
		require.NotEqual(s, a.EphemeralOwner, c.EphemeralOwner)
	}},
	{"znodes are older the smaller their Czxid is", func(s *store) {
		s.must(create(s.at("a"), ""))
		s.must(create(s.at("b"), ""))
		s.must(remove(s.at("a"), -1))
		s.must(create(s.at("a"), ""))
		_, a := s.read(s.at("a"))
		_, b := s.read(s.at("b"))
		require.Less(s, b.Czxid, a.Czxid)
		require.Zero(s, a.Version)
	}},
}

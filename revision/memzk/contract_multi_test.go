package memzk_test

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
)

var multiCases = []contractCase{
	{"a check of the version, or of any", func(s *store) {
		s.must(create(s.at("a"), ""), check(s.at("a"), 0))
		s.must(set(s.at("a"), "1", 0))
		s.must(check(s.at("a"), 1), check(s.at("a"), -1))
		s.fails(zk.ErrBadVersion, 0, check(s.at("a"), 0))
		s.fails(zk.ErrBadVersion, 0, check(s.at("a"), 2))
		s.fails(zk.ErrNoNode, 0, check(s.at("none"), -1))
		s.fails(zk.ErrNoNode, 0, check(s.at("none"), 0))
	}},
	{"data is set at a version, or at any", func(s *store) {
		s.must(create(s.at("a"), "0"))
		s.must(set(s.at("a"), "1", 0))
		s.must(set(s.at("a"), "2", -1))
		s.fails(zk.ErrBadVersion, 0, set(s.at("a"), "3", 1))
		s.fails(zk.ErrNoNode, 0, set(s.at("none"), "3", -1))
		data, stat := s.read(s.at("a"))
		require.Equal(s, "2", data)
		require.EqualValues(s, 2, stat.Version)
	}},
	{"a znode is deleted at a version, or at any", func(s *store) {
		s.must(create(s.at("a"), ""), create(s.at("b"), ""), create(s.at("b/c"), ""))
		s.fails(zk.ErrBadVersion, 0, remove(s.at("a"), 1))
		s.must(remove(s.at("a"), 0))
		s.gone(s.at("a"))
		s.fails(zk.ErrNoNode, 0, remove(s.at("a"), -1))
		s.fails(zk.ErrNotEmpty, 0, remove(s.at("b"), -1))
		s.must(remove(s.at("b/c"), -1), remove(s.at("b"), -1))
		require.Empty(s, s.children(s.root))
	}},
	{"a multi that fails has no effect", func(s *store) {
		s.must(create(s.at("a"), "0"), create(s.at("d"), ""), flagged(s.at("e"), zk.FlagEphemeral))
		before, stat := s.read(s.at("a"))
		_, root := s.read(s.root)
		s.fails(zk.ErrBadVersion, 4,
			set(s.at("a"), "1", 0), create(s.at("b"), ""), remove(s.at("d"), -1), remove(s.at("e"), -1), check(s.at("a"), 7), create(s.at("c"), ""))
		after, now := s.read(s.at("a"))
		require.Equal(s, before, after)
		require.Equal(s, stat, now)
		_, rootNow := s.read(s.root)
		require.Equal(s, root, rootNow)
		require.Equal(s, []string{"a", "d", "e"}, s.children(s.root))
	}},
	{"the first operation that fails is named, by its own code", func(s *store) {
		s.must(create(s.at("a"), ""), create(s.at("a/b"), ""))
		s.fails(zk.ErrNodeExists, 1, check(s.root, -1), create(s.at("a"), ""), check(s.at("none"), -1))
		s.fails(zk.ErrNoNode, 1, set(s.at("a"), "", -1), check(s.at("none"), -1), create(s.at("a"), ""))
		s.fails(zk.ErrNotEmpty, 2, check(s.root, -1), create(s.at("c"), ""), remove(s.at("a"), -1))
		s.fails(zk.ErrBadVersion, 0, set(s.at("a"), "", 5), check(s.at("none"), -1))
	}},
	{"operations see what those before them did", func(s *store) {
		s.must(create(s.at("a"), "0"), set(s.at("a"), "1", 0), check(s.at("a"), 1), create(s.at("a/b"), ""),
			remove(s.at("a/b"), 0), remove(s.at("a"), 1), create(s.at("a"), "again"))
		data, stat := s.read(s.at("a"))
		require.Equal(s, "again", data)
		require.Zero(s, stat.Version)
	}},
	{"all operations of a multi are one transaction", func(s *store) {
		results := s.must(create(s.at("a"), ""), create(s.at("b"), ""), set(s.at("a"), "1", -1))
		_, a := s.read(s.at("a"))
		_, b := s.read(s.at("b"))
		require.Equal(s, a.Czxid, b.Czxid)
		require.Equal(s, a.Czxid, a.Mzxid)
		require.Equal(s, a.Mzxid, results[2].Stat.Mzxid)
	}},
	{"a multi that fails, or only checks, is a transaction", func(s *store) {
		s.must(create(s.at("a"), ""))
		zxid := func() int64 { return s.must(set(s.at("a"), "", -1))[0].Stat.Mzxid }
		first := zxid()
		s.fails(zk.ErrBadVersion, 0, check(s.root, 9))
		second := zxid()
		require.Greater(s, second, first+1)
		s.must(check(s.root, -1))
		require.Greater(s, zxid(), second+1)
	}},
	{"a call whose context has ended is not made", func(s *store) {
		ctx, cancel := context.WithCancelCause(s.T.Context())
		why := errors.New("a reason")
		cancel(why)
		_, _, err := s.Get(ctx, s.root)
		require.ErrorIs(s, err, why)
		_, err = s.GetW(ctx, s.root)
		require.ErrorIs(s, err, why)
		_, err = s.Children(ctx, s.root)
		require.ErrorIs(s, err, why)
		_, err = s.Exists(ctx, s.root)
		require.ErrorIs(s, err, why)
		_, err = s.Multi(ctx, check(s.root, -1))
		require.ErrorIs(s, err, why)
		require.False(s, zkclient.Definite(err), "it may have been sent")
	}},
}

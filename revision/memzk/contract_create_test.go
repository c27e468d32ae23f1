package memzk_test

import (
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

var createCases = []contractCase{
	{"a znode is created with its data", func(s *store) {
		results := s.must(create(s.at("a"), "data"), create(s.at("a/b"), ""))
		require.Equal(s, s.at("a"), results[0].String)
		require.Equal(s, s.at("a/b"), results[1].String)
		data, _ := s.read(s.at("a"))
		require.Equal(s, "data", data)
		data, _ = s.read(s.at("a/b"))
		require.Empty(s, data)
		require.Equal(s, []string{"a"}, s.children(s.root))
		require.Equal(s, []string{"b"}, s.children(s.at("a")))
		require.Empty(s, s.children(s.at("a/b")))
	}},
	{"data belongs to those who give and get it", func(s *store) {
		op := create(s.at("a"), "data")
		s.must(op)
		op.Data[0] = 'X'
		got, _, err := s.Get(s.ctx(), s.at("a"))
		require.NoError(s, err)
		got[1] = 'Y'
		data, _ := s.read(s.at("a"))
		require.Equal(s, "data", data)
	}},
	{"what is there is not created again", func(s *store) {
		s.must(create(s.at("a"), "first"))
		s.fails(zk.ErrNodeExists, 0, create(s.at("a"), "second"))
		data, _ := s.read(s.at("a"))
		require.Equal(s, "first", data)
	}},
	{"nothing is created without a parent", func(s *store) {
		s.fails(zk.ErrNoNode, 0, create(s.at("a/b"), ""))
	}},
	{"nothing is created under an ephemeral", func(s *store) {
		s.must(flagged(s.at("a"), zk.FlagEphemeral))
		s.fails(zk.ErrNoChildrenForEphemerals, 0, create(s.at("a/b"), ""))
	}},
	{"a path must be one", func(s *store) {
		for _, path := range []string{s.root + "/", s.at("."), s.at(".."), s.at("\x00"), s.at("a\x01"), "a", ""} {
			s.fails(zk.ErrBadArguments, 0, create(path, ""))
		}
		for _, path := range []string{s.at("/a"), s.at("./a"), s.at("../a")} {
			s.fails(zk.ErrNoNode, 0, create(path, ""))
		}
		require.Empty(s, s.children(s.root))
		require.Equal(s, s.at("0000000000"), s.must(flagged(s.root+"/", zk.FlagSequence))[0].String)
	}},
	{"sequential znodes are numbered by their parent", func(s *store) {
		for i := range 3 {
			results := s.must(flagged(s.at("s-"), zk.FlagSequence))
			require.Equal(s, fmt.Sprintf("%s/s-%010d", s.root, i), results[0].String)
		}
		results := s.must(flagged(s.at("s-"), zk.FlagSequence), flagged(s.at("t-"), zk.FlagSequence))
		require.Equal(s, s.at("s-0000000003"), results[0].String)
		require.Equal(s, s.at("t-0000000004"), results[1].String)
	}},
	{"any creation counts for a sequence, a deletion does not", func(s *store) {
		s.must(create(s.at("other"), ""))
		require.Equal(s, s.at("s-0000000001"), s.must(flagged(s.at("s-"), zk.FlagSequence))[0].String)
		s.must(remove(s.at("s-0000000001"), -1), remove(s.at("other"), -1))
		require.Equal(s, s.at("s-0000000002"), s.must(flagged(s.at("s-"), zk.FlagSequence))[0].String)
	}},
	{"a multi that fails uses no number of a sequence up", func(s *store) {
		s.must(flagged(s.at("s-"), zk.FlagSequence))
		s.fails(zk.ErrBadVersion, 1, flagged(s.at("s-"), zk.FlagSequence), check(s.root, 7))
		require.Equal(s, s.at("s-0000000001"), s.must(flagged(s.at("s-"), zk.FlagSequence))[0].String)
	}},
	{"a sequential name can be taken", func(s *store) {
		s.must(create(s.at("s-0000000001"), ""))
		s.fails(zk.ErrNodeExists, 0, flagged(s.at("s-"), zk.FlagSequence))
	}},
	{"children are listed, of a znode that is there", func(s *store) {
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprintf("c%02d", i))
			s.must(create(s.at(names[i]), strings.Repeat("x", i)))
		}
		require.Equal(s, names, s.children(s.root))
		_, err := s.Children(s.ctx(), s.at("none"))
		require.ErrorIs(s, err, zk.ErrNoNode)
	}},
}

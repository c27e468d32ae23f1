package memzk_test

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
)

// juteMaxBuffer is ZooKeeper's default bound for a request, in bytes.
const juteMaxBuffer = 0xfffff

// Parts of a request on the wire, in bytes (ZooKeeper's zookeeper.jute).
const (
	requestHeader = 4 + 4     // xid, opcode
	multiHeader   = 4 + 1 + 4 // opcode, whether it is the end, an error; before each operation, and at the end
	openACL       = 4 + 4 + (4 + len("world")) + (4 + len("anyone"))
)

// createSize is the size of a multi with one create.
func createSize(path string, data int) int {
	return requestHeader + multiHeader + (4 + len(path)) + (4 + data) + openACL + 4 + multiHeader
}

var sizeCases = []contractCase{
	{"a request of jute.maxbuffer is taken", func(s *store) {
		path := s.at("a")
		size := juteMaxBuffer - createSize(path, 0)
		s.must(create(path, strings.Repeat("x", size)))
		stat, err := s.Exists(s.ctx(), path)
		require.NoError(s, err)
		require.EqualValues(s, size, stat.DataLength)
	}},
	{"a larger request ends the connection, and has no effect", func(s *store) {
		path := s.at("a")
		other := s.dial()
		_, err := other.Multi(s.ctx(), create(path, strings.Repeat("x", juteMaxBuffer-createSize(path, 0)+1)))
		require.Error(s, err)
		require.False(s, zkclient.Definite(err), "it looks like any lost connection")
		<-other.Done()
		s.gone(path)
	}},
	{"what is large can be read, and appears in pieces", func(s *store) {
		piece := strings.Repeat("x", 600<<10)
		s.must(create(s.at("a"), ""))
		s.must(create(s.at("a/0"), piece))
		s.must(create(s.at("a/1"), piece))
		data, _ := s.read(s.at("a/1"))
		require.Equal(s, piece, data)
	}},
}

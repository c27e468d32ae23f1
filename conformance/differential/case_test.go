package differential

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// TestCases goes again the ways that once led to a difference.
func TestCases(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(casesFolder, "*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl"), func(t *testing.T) {
			operations, err := readCase(path)
			require.NoError(t, err)
			require.NotEmpty(t, operations)
			r := &run{}
			if difference := r.replay(t, operations); difference != "" {
				t.Fatal(difference)
			}
			t.Log("\n" + r.tally.String())
		})
	}
}

// TestCasesKeepOperations has the generator's requests written and read.
func TestCasesKeepOperations(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(1, 0)), revision: 100, compacted: 50}
	for range 500 {
		want := g.next()
		line, err := formatOperation(want)
		require.NoError(t, err)
		got, err := parseOperation(line)
		require.NoError(t, err)
		require.True(t, proto.Equal(want.Message, got.Message), line)
		want.Message, got.Message = nil, nil
		require.Equal(t, want, got)
	}
}

// TestRequestsAtTheLimit: what the length of an id decides is not asked for.
func TestRequestsAtTheLimit(t *testing.T) {
	of := func(value int) *pb.TxnRequest {
		put := &pb.PutRequest{Key: []byte("key"), Value: make([]byte, value)}
		return &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}}}
	}
	var decided, refused []int
	for value := requestLimit - 100; value <= requestLimit; value++ {
		if atTheLimit(of(value)) {
			decided = append(decided, value)
		} else if proto.Size(of(value)) > requestLimit {
			refused = append(refused, value)
		}
	}
	require.Len(t, decided, 9, "an id has 1 to 10 bytes")
	require.Equal(t, 8, decided[8]-decided[0])
	require.NotEmpty(t, refused)
	require.False(t, atTheLimit(&pb.RangeRequest{Key: []byte("key")}))
}

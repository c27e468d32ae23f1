package differential

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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

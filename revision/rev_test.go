package revision

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSeqOrderAndIndex(t *testing.T) {
	seqs := []Seq{{}, {1, 0}, {1, 1}, {2, 0}, {2, 4000}, {3, 0}}
	for i, a := range seqs {
		for j, b := range seqs {
			require.Equal(t, i < j, a.Before(b), fmt.Sprint(a, b))
			require.Equal(t, i < j, a.Index() < b.Index(), fmt.Sprint(a, b))
		}
	}
}

package zkacl_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zktest"
)

// BenchmarkApply moves 10,000 znodes from one list to another, on a server that
// does not fsync.
func BenchmarkApply(b *testing.B) {
	const folders, each = 5, 2000
	root, s := zktest.Root(b), session(b, aliceSecret)
	s.create(b, alice, root)
	for i := range folders {
		folder := fmt.Sprintf("%s/f%d", root, i)
		ops := []any{&zk.CreateRequest{Path: folder, Acl: alice}}
		for j := range each {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("%s/%d", folder, j), Acl: alice})
		}
		_, err := s.Multi(b.Context(), ops...)
		require.NoError(b, err)
	}
	lists := []zkacl.List{slices.Concat(alice, bob), alice}
	for i := 0; b.Loop(); i++ {
		done, err := zkacl.Apply(b.Context(), s, root, lists[i%2], zkacl.Options{})
		require.NoError(b, err)
		require.EqualValues(b, 1+folders*(1+each), done.Changed)
	}
}

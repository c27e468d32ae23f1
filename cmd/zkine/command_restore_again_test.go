package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRestoreAgain goes to another time, after clients have seen the revisions of a first
// restore: they see no lower ones.
func TestRestoreAgain(t *testing.T) {
	p := makePast(t)
	folder := strings.TrimPrefix(p.archive, "--archive=file://")
	seen := int64(0)
	cluster := ""
	for i := range 2 {
		args, root, _ := sharedRoot(t)
		restore := append([]string{"restore", p.archive, "--to-time=" + p.time()}, args...)
		if cluster != "" {
			restore = append(restore, "--archive-cluster="+cluster)
		}
		out, err := zkine(restore...)
		require.NoError(t, err, out)
		cluster = regexp.MustCompile(`cluster ([0-9a-f]+) from`).FindStringSubmatch(out)[1]
		c, ctx := anonymous(t, startZkine(t, append([]string{fmt.Sprint("--name=again-", i)}, args...)).ready()), within(t)
		resp, err := c.Put(ctx, "/ns/0", "after the restore")
		require.NoError(t, err)
		require.Greater(t, resp.Header.Revision, seen)
		seen = resp.Header.Revision
		_, err = archiver(t, root, folder).Round(ctx)
		require.NoError(t, err)
	}
}

package deploy

import (
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestEveryFlagOfEtcdIsKnown has each flag in etcd's help in that of zkine's, or refused with a reason and accepted on
// demand.
func TestEveryFlagOfEtcdIsKnown(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), rigtest.Component(t, "etcd"), "--help").CombinedOutput()
	require.NoError(t, err, "%s", help)
	names := regexp.MustCompile(`(?m)^  --([a-z0-9-]+)`).FindAllStringSubmatch(string(help), -1)
	require.Greater(t, len(names), 100)
	zkine := func(args ...string) (string, int) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), rigtest.Program(t), append([]string{"server"}, args...)...).CombinedOutput()
		var ended *exec.ExitError
		if err != nil {
			require.ErrorAs(t, err, &ended)
			return string(out), ended.ExitCode()
		}
		return string(out), 0
	}
	served, _ := zkine("--help")
	var others []string
	for _, match := range names {
		if !regexp.MustCompile(`(?m)^ +--` + match[1] + ` `).MatchString(served) {
			others = append(others, "--"+match[1]+"=1")
		}
	}
	require.Greater(t, len(names)-len(others), 40)

	out, code := zkine(others...)
	require.Equal(t, 2, code)
	require.Regexp(t, `^zkine: --[a-z-]+: it has no meaning here: .+ — leave it out, or have all such flags of etcd accepted with --ignore-etcd-flags\n$`, out)
	// Accepted, so that what is wrong is what comes after.
	out, code = zkine(append(others, "--ignore-etcd-flags", "--max-txn-ops=-1")...)
	require.Equal(t, 2, code)
	require.Equal(t, "zkine: --max-txn-ops: -1 is out of bounds — choose from 1 to 1048576\n", out)
	t.Logf("of %d flags of etcd %d have no meaning", len(names), len(others))
}

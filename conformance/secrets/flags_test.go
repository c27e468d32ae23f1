package secrets

import (
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// secretive are the flags whose names speak of secrets, and what they take instead of one. Command lines and
// environments are for every user of a host to read: a flag takes the name of a file, and needs no row then.
var secretive = map[string]string{
	"client-cert-auth": "switch",
	"auth-token":       "kind",
	"auth-token-ttl":   "seconds",
}

// flag is a line of the help: a flag, and the name of its value, if it has one.
var flag = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z0-9-]+)( [a-z:,.]+)? `)

func TestNoFlagTakesASecret(t *testing.T) {
	program := rigtest.Program(t)
	help, err := exec.CommandContext(within(t), program, "server", "--help").CombinedOutput()
	require.NoError(t, err)
	found := flag.FindAllStringSubmatch(string(help), -1)
	require.Greater(t, len(found), 30, "%s", help)
	speaks := regexp.MustCompile(`pass|secret|token|credential|auth|key|digest|sasl|keytab`)
	seen := 0
	for _, f := range found {
		file := strings.HasSuffix(f[1], "-file") && f[2] == " file"
		if !speaks.MatchString(f[1]) || file {
			continue
		}
		takes := secretive[f[1]]
		require.NotEmpty(t, takes, "--%s speaks of secrets: say in conformance/secrets what it takes instead of one", f[1])
		require.Equal(t, takes, cmp.Or(strings.TrimSpace(f[2]), "switch"), f[1])
		seen++
	}
	require.Equal(t, len(secretive), seen)
}

// TestMistakesAreNotRepeated gives zkine secrets where none belong. The errors name the flag, and not what it was given.
func TestMistakesAreNotRepeated(t *testing.T) {
	for _, c := range []struct{ flag, value, has string }{
		{"--auth-token", "S", "--auth-token"},
		{"--auth-token", "jwt,S", "--auth-token"},
		{"--auth-token", "jwt,sign-method=HS256,S==", "--auth-token"},
		{"--auth-token", "simple,S", "--auth-token"},
		{"--zookeeper", "user:S@zk1:2181", "--zookeeper"},
		{"--zookeeper", "zk://user:S@zk1:2181/a", "--zookeeper"},
		{"--zookeeper-acl", "digest:user:S:cdrwa", "--zookeeper-acl"},
		{"--listen-client-urls", "http://user:S@127.0.0.1:0", "--listen-client-urls"},
		{"--listen-client-urls", "user:S@127.0.0.1:2379", "--listen-client-urls"},
		{"--listen-metrics-urls", "https://user:S@127.0.0.1:0", "--listen-metrics-urls"},
		{"--advertise-client-urls", "http://user:S@127.0.0.1:2379", "--advertise-client-urls"},
	} {
		for _, through := range []string{"the command line", "the environment"} {
			s := &site{T: t}
			value := strings.ReplaceAll(c.value, "S", s.secret(c.flag+" on "+through))
			program := rigtest.Program(t)
			cmd := exec.CommandContext(within(t), program, "server", "--data-dir="+t.TempDir())
			has := c.flag
			if through == "the command line" {
				cmd.Args = append(cmd.Args, c.flag+"="+value)
			} else {
				has = "ZKINE_" + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(c.flag, "--"), "-", "_"))
				cmd.Env = append(os.Environ(), has+"="+value)
			}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Equal(t, 2, exit.ExitCode(), "%s", out)
			s.search(place{"the error of " + c.flag + "=" + c.value, has, out})
		}
	}
}

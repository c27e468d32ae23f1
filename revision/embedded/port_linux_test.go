package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFreePortBelongsToOneProcess, though nothing listens there yet, until that process ends.
func TestAFreePortBelongsToOneProcess(t *testing.T) {
	if os.Getenv("ZKINE_TEST_PORT") != "" {
		port, err := FreePort()
		require.NoError(t, err)
		fmt.Printf("port %d\n", port)
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the other end is closed
		return
	}
	other := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	other.Env = append(os.Environ(), "ZKINE_TEST_PORT=yes")
	in, err := other.StdinPipe()
	require.NoError(t, err)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	var port int
	_, err = fmt.Fscanf(out, "port %d\n", &port)
	require.NoError(t, err)
	require.True(t, free(port), "nothing listens there")
	require.False(t, claim(port))
	require.NoError(t, in.Close())
	require.NoError(t, other.Wait())
	require.True(t, claim(port))
}

package identity

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
)

// TestAPipeIsNoFile: to open a pipe without a writer never ends, and would hold up
// the end of zkine.
func TestAPipeIsNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	const want = "pipe is no regular file, and it is read more than once"

	_, err := ReadCredentials(pipe)
	require.ErrorIs(t, err, ErrCredentials)
	require.ErrorContains(t, err, want)
	logger, _ := logrustest.NewNullLogger()
	for _, files := range []Files{{TrustedCAFile: pipe}, {CertFile: pipe, KeyFile: pipe}} {
		_, err := NewTLS(files, logrus.NewEntry(logger))
		require.ErrorIs(t, err, ErrFiles)
		require.ErrorContains(t, err, want)
	}
}

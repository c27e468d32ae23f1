package listener

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHandshakeErrorsRepeatNoProtocols(t *testing.T) {
	for given, want := range map[string]string{
		"tls: first record does not look like a TLS handshake":               "tls: first record does not look like a TLS handshake",
		`tls: client requested unsupported application protocols (["made"])`: "tls: client requested unsupported application protocols",
		"tls: failed to verify certificate: x509: unknown (possibly later)":  "tls: failed to verify certificate: x509: unknown (possibly later)",
	} {
		require.EqualError(t, handshakeError(errors.New(given)), want)
	}
}

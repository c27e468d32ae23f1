package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t *testing.T, text string) ([]Setting, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	settings, err := Read(path)
	return settings, err
}

// TestEtcdsForms reads what etcd's own example of a file has in it.
func TestEtcdsForms(t *testing.T) {
	settings, err := read(t, `# etcd's
name: 'default'
wal-dir:
snapshot-count: 10000
listen-client-urls: http://localhost:2379
cors: ""
cipher-suites: [
  TLS_A,
  "TLS_B"
]
client-transport-security:
  cert-file: &c /tls/cert
  client-cert-auth: false
  allowed-hostname: [one, two]
peer-transport-security:
  cert-file: *c
  allowed-cn: [x]
socket-options:
  reuse-port: true
discovery-config:
grpc-keepalive-min-time: 5000000000
`)
	require.NoError(t, err)
	require.Equal(t, []Setting{
		{"name", "name", 2, "default", false},
		{"snapshot-count", "snapshot-count", 4, "10000", true},
		{"listen-client-urls", "listen-client-urls", 5, "http://localhost:2379", false},
		{"cipher-suites", "cipher-suites", 7, "TLS_A,TLS_B", false},
		{"cert-file", "client-transport-security.cert-file", 12, "/tls/cert", false},
		{"client-cert-auth", "client-transport-security.client-cert-auth", 13, "false", false},
		{"client-cert-allowed-hostname", "client-transport-security.allowed-hostname", 14, "one,two", false},
		{"peer-cert-file", "peer-transport-security.cert-file", 16, "/tls/cert", false},
		{"peer-cert-allowed-cn", "peer-transport-security.allowed-cn", 17, "x", false},
		{"socket-reuse-port", "socket-options.reuse-port", 19, "true", false},
		{"grpc-keepalive-min-time", "grpc-keepalive-min-time", 21, "5000000000", true},
	}, settings)
}

func TestJSONIsRead(t *testing.T) {
	settings, err := read(t, `{"name": "x", "zookeeper": ["a:1", "b:2"]}`)
	require.NoError(t, err)
	require.Equal(t, []Setting{{"name", "name", 1, "x", false}, {"zookeeper", "zookeeper", 1, "a:1,b:2", false}}, settings)
}

func TestAnEmptyFileSetsNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		settings, err := read(t, text)
		require.NoError(t, err)
		require.Empty(t, settings)
	}
}

func TestFaultsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: [\n":                  "f.yaml: near line 2: did not find expected node content",
		"a: 1\n- b\n":                   "f.yaml: near line 1: did not find expected key",
		"- a\n":                         "f.yaml:1: the file holds no keys with values",
		"a: 1\n\na: 2\n":                "f.yaml:3: a is set in line 1 already",
		"a:\n  b: 1\n":                  "f.yaml:1: a is a section, and there is none of that name",
		"x: 1\na: [[1]]\n":              "f.yaml:2: a is a list of something else than words",
		"client-transport-security: no": "f.yaml:1: client-transport-security holds no keys with values",
		"cert-file: a\nclient-transport-security:\n  cert-file: b": "f.yaml:3: client-transport-security.cert-file is set in line 1 already",
	} {
		_, err := read(t, text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := read(t, "a: "+strings.Repeat("x", maxBytes))
	require.ErrorContains(t, err, "has more than 1048576 bytes")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a: [1, {b: 2}]\n<<: *a\nclient-transport-security: {cert-file: ~}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		settings, err := parse("f", text)
		if err != nil {
			require.Empty(t, settings)
		}
		for _, s := range settings {
			require.NotEmpty(t, s.Value)
			require.Positive(t, s.Line)
		}
	})
}

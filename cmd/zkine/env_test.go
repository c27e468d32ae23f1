package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/cmd/zkine/logoutput"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/tracing"
)

// newFlags returns a server command's flags, parsed from args, and what they
// set.
func newFlags(t *testing.T, args ...string) (*pflag.FlagSet, *config) {
	t.Helper()
	var cfg config
	flags := pflag.NewFlagSet("server", pflag.ContinueOnError)
	cfg.bind(flags)
	require.NoError(t, flags.Parse(args))
	return flags, &cfg
}

func TestEveryFlagHasAVariable(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("secret"), 0o600))
	values := map[string]string{
		"ZKINE_CONFIG_FILE":                    "/etc/zkine.yaml",
		"ZKINE_IGNORE_ETCD_FLAGS":              "true",
		"ZKINE_ZOOKEEPER":                      "a:1,b:2",
		"ZKINE_ZOOKEEPER_ROOT":                 "/other",
		"ZKINE_ZOOKEEPER_SESSION_TIMEOUT":      "7s",
		"ZKINE_ZOOKEEPER_CERT_FILE":            "/zk/cert",
		"ZKINE_ZOOKEEPER_KEY_FILE":             "/zk/key",
		"ZKINE_ZOOKEEPER_TRUSTED_CA_FILE":      "/zk/ca",
		"ZKINE_ZOOKEEPER_SERVER_NAME":          "zookeeper",
		"ZKINE_ZOOKEEPER_AUTH_FILE":            "/zk/auth",
		"ZKINE_ZOOKEEPER_ACL":                  "ip:10.0.0.0/8:cdrwa",
		"ZKINE_ZOOKEEPER_ACL_STRICT":           "true",
		"ZKINE_MAX_ZOOKEEPER_REQUEST":          "100000",
		"ZKINE_DATA_DIR":                       "/data",
		"ZKINE_TEMP_DIR":                       "/temp",
		"ZKINE_LOCAL_ZOOKEEPER_HEAP":           "1g",
		"ZKINE_CLUSTER_ID":                     "1a2b",
		"ZKINE_NEW_CLUSTER":                    "false", // it contradicts the one above
		"ZKINE_NAME":                           "me",
		"ZKINE_LISTEN_CLIENT_URLS":             "http://127.0.0.1:1,unix:///s",
		"ZKINE_ADVERTISE_CLIENT_URLS":          "http://here:1",
		"ZKINE_LISTEN_METRICS_URLS":            "http://127.0.0.1:2",
		"ZKINE_ENABLE_PPROF":                   "true",
		"ZKINE_CERT_FILE":                      "/tls/cert",
		"ZKINE_KEY_FILE":                       "/tls/key",
		"ZKINE_TRUSTED_CA_FILE":                "/tls/ca",
		"ZKINE_CLIENT_CERT_AUTH":               "true",
		"ZKINE_CLIENT_CRL_FILE":                "/tls/crl",
		"ZKINE_CIPHER_SUITES":                  "TLS_A,TLS_B",
		"ZKINE_TLS_MIN_VERSION":                "TLS1.2",
		"ZKINE_TLS_MAX_VERSION":                "TLS1.3",
		"ZKINE_CONSOLE":                        "off",
		"ZKINE_CORS":                           "https://page",
		"ZKINE_HOST_WHITELIST":                 "localhost,::1",
		"ZKINE_MAX_CONCURRENT_STREAMS":         "300",
		"ZKINE_GRPC_KEEPALIVE_MIN_TIME":        "6s",
		"ZKINE_GRPC_KEEPALIVE_INTERVAL":        "3h",
		"ZKINE_GRPC_KEEPALIVE_TIMEOUT":         "21s",
		"ZKINE_MAX_REQUEST_BYTES":              "1000",
		"ZKINE_MAX_TXN_OPS":                    "7",
		"ZKINE_QUOTA_BACKEND_BYTES":            "-1",
		"ZKINE_READ_LEASE":                     "true",
		"ZKINE_LOG_SEGMENT_SLOTS":              "16",
		"ZKINE_LOG_ORIGIN":                     "false",
		"ZKINE_ARCHIVE":                        "file:///backup",
		"ZKINE_ARCHIVE_INTERVAL":               "20s",
		"ZKINE_ARCHIVE_RETENTION":              "48h",
		"ZKINE_ARCHIVE_RETENTION_COUNT":        "9",
		"ZKINE_ARCHIVE_TRIM_WAIT":              "5m",
		"ZKINE_LOG_SEGMENT_BYTES":              "100000",
		"ZKINE_CHECKPOINT_LOG_BYTES":           "1000",
		"ZKINE_WATCH_PROGRESS_NOTIFY_INTERVAL": "3m",
		"ZKINE_LEADER_LOSS_TIMEOUT":            "5s",
		"ZKINE_AUTO_COMPACTION_MODE":           "revision",
		"ZKINE_AUTO_COMPACTION_RETENTION":      "5000",
		"ZKINE_AUTH_TOKEN":                     "jwt,sign-method=HS256,priv-key=" + key,
		"ZKINE_AUTH_TOKEN_TTL":                 "60",
		"ZKINE_BCRYPT_COST":                    "12",
		"ZKINE_LISTEN_CLIENT_HTTP_URLS":        "http://127.0.0.1:3",
		"ZKINE_ENABLE_GRPC_GATEWAY":            "false",
		"ZKINE_SOCKET_REUSE_PORT":              "true",
		"ZKINE_SOCKET_REUSE_ADDRESS":           "true",
		"ZKINE_AUTO_TLS":                       "true",
		"ZKINE_SELF_SIGNED_CERT_VALIDITY":      "2",
		"ZKINE_METRICS":                        "extensive",
		"ZKINE_WARNING_UNARY_REQUEST_DURATION": "1s",
		"ZKINE_ENABLE_DISTRIBUTED_TRACING":     "true", "ZKINE_DISTRIBUTED_TRACING_ADDRESS": "https://collector:4317", "ZKINE_DISTRIBUTED_TRACING_SERVICE_NAME": "store",
		"ZKINE_DISTRIBUTED_TRACING_INSTANCE_ID": "me", "ZKINE_DISTRIBUTED_TRACING_SAMPLING_RATE": "1000",
		"ZKINE_CLIENT_CERT_ALLOWED_HOSTNAME": "one,two",
		"ZKINE_LOG_OUTPUTS":                  "stderr,/log",
		"ZKINE_ENABLE_LOG_ROTATION":          "true",
		"ZKINE_LOG_ROTATION_CONFIG_JSON":     `{"maxsize":1}`,
		"ZKINE_LOG_LEVEL":                    "debug",
		"ZKINE_LOG_FORMAT":                   "json",
	}
	var environ []string
	for name, value := range values {
		environ = append(environ, name+"="+value)
	}
	flags, cfg := newFlags(t)
	env, err := readEnv(flags, environ)
	require.NoError(t, err)
	require.Empty(t, env.unknown)
	flags.VisitAll(func(f *pflag.Flag) {
		require.Contains(t, values, envName(f.Name), "this test leaves a flag out")
		require.Equal(t, envName(f.Name), env.from[f.Name])
	})
	require.Equal(t, config{
		etcd:      etcdFlags{file: "/etc/zkine.yaml", ignore: true},
		tracing:   tracingFlags{tracing.Config{Enabled: true, Address: "https://collector:4317", ServiceName: "store", InstanceID: "me", SamplingRate: 1000}},
		zookeeper: []string{"a:1", "b:2"}, root: "/other", sessionTimeout: 7 * time.Second, maxRequest: 100000,
		dataDir: "/data", tempDir: "/temp", localHeap: 1 << 30,
		security: securityFlags{
			files:    identity.Files{CertFile: "/zk/cert", KeyFile: "/zk/key", TrustedCAFile: "/zk/ca", ServerName: "zookeeper"},
			authFile: "/zk/auth", aclText: "ip:10.0.0.0/8:cdrwa", strict: true,
		},
		cluster: clusterFlags{text: "1a2b"}, name: "me",
		clientURLs:    []string{"http://127.0.0.1:1", "unix:///s"},
		advertiseURLs: []string{"http://here:1"}, metricsURLs: []string{"http://127.0.0.1:2"},
		tls: listener.TLS{
			CertFile: "/tls/cert", KeyFile: "/tls/key", TrustedCAFile: "/tls/ca", ClientCertAuth: true, ClientCRLFile: "/tls/crl",
			AllowedHostnames: []string{"one", "two"},
			CipherSuites:     []string{"TLS_A", "TLS_B"}, MinVersion: "TLS1.2", MaxVersion: "TLS1.3",
		},
		enablePprof: true,
		cors:        []string{"https://page"},
		limits: limitFlags{
			hostWhitelist: []string{"localhost", "::1"}, maxStreams: 300,
			keepaliveMinTime: 6 * time.Second, keepaliveInterval: 3 * time.Hour, keepaliveTimeout: 21 * time.Second,
		},
		maxRequestBytes: 1000, maxTxnOps: 7, quotaBytes: -1, readLease: true,
		archive:      archiveFlags{location: "file:///backup", interval: 20 * time.Second, age: 48 * time.Hour, count: 9, trimWait: 5 * time.Minute},
		housekeeping: housekeepingFlags{segmentSlots: 16, segmentBytes: 100000, checkpointLogBytes: 1000}, compaction: compactionFlags{mode: "revision", retention: "5000"}, progressInterval: 3 * time.Minute, leaderLoss: leaderLoss(5 * time.Second),
		auth: authFlags{token: "jwt,sign-method=HS256,priv-key=" + key, tokenTTL: 60, bcryptCost: 12},
		front: frontFlags{
			httpURLs: []string{"http://127.0.0.1:3"}, reuse: listener.Reuse{Port: true, Address: true}, autoTLS: true, certYears: 2,
			metrics: "extensive", slowRequest: time.Second, console: "off",
		},
		logging: loggingFlags{level: "debug", format: "json", to: logoutput.Config{Outputs: []string{"stderr", "/log"}, Rotate: true, Rotation: `{"maxsize":1}`}},
	}, *cfg)
	require.NoError(t, cfg.check(flags, env.from))
}

func TestFlagsWinOverVariables(t *testing.T) {
	flags, cfg := newFlags(t, "--max-txn-ops=5", "--listen-client-urls=http://127.0.0.1:1", "--listen-client-urls=http://127.0.0.1:2")
	_, err := readEnv(flags, []string{"ZKINE_MAX_TXN_OPS=not even a number", "ZKINE_LISTEN_CLIENT_URLS=http://127.0.0.1:3"})
	require.NoError(t, err)
	require.Equal(t, 5, cfg.maxTxnOps)
	require.Equal(t, []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}, cfg.clientURLs)
}

func TestAnEmptyVariableIsNone(t *testing.T) {
	flags, cfg := newFlags(t)
	_, err := readEnv(flags, []string{"ZKINE_NAME=", "ZKINE_MAX_TXN_OPS=", "ZKINE_ZOOKEEPER="})
	require.NoError(t, err)
	require.Equal(t, 128, cfg.maxTxnOps)
	require.Empty(t, cfg.zookeeper)
}

func TestABadVariableIsNamed(t *testing.T) {
	for entry, want := range map[string]string{
		"ZKINE_MAX_TXN_OPS=many":               `ZKINE_MAX_TXN_OPS: "many" is not a whole number — write one like 128`,
		"ZKINE_ZOOKEEPER_SESSION_TIMEOUT=10":   `ZKINE_ZOOKEEPER_SESSION_TIMEOUT: "10" is not a duration — write one like 500ms, 10s or 5m`,
		"ZKINE_LOG_FORMAT=xml":                 `ZKINE_LOG_FORMAT: "xml" is not known — choose one of text, json, console`,
		"ZKINE_ZOOKEEPER_ROOT=zkine":           `ZKINE_ZOOKEEPER_ROOT: "zkine" is not a path like /zkine — name a znode like /zkine`,
		`ZKINE_LISTEN_CLIENT_URLS="http://a:1`: `ZKINE_LISTEN_CLIENT_URLS: "\"http://a:1" cannot be read — write it like http://127.0.0.1:2379`,
	} {
		flags, cfg := newFlags(t)
		env, err := readEnv(flags, []string{entry})
		if err == nil {
			err = cfg.check(flags, env.from)
		}
		require.EqualError(t, err, want)
		require.True(t, explain(err).usage)
	}
}

func TestUnknownVariables(t *testing.T) {
	flags, _ := newFlags(t)
	env, err := readEnv(flags, []string{
		"ZKINE_MAX_TXN_OP=1", "ZKINE_HELP=1", "HOME=/", "ETCD_NAME=x",
		// The build's and the tests'.
		"ZKINE_ZOOKEEPER_DIR=/x", "ZKINE_DEBIAN_MIRROR=x", "ZKINE_APT_ETC=x",
		// What Kubernetes sets for Services called zkine and zkine-metrics.
		"ZKINE_SERVICE_HOST=10.0.0.1", "ZKINE_SERVICE_PORT=2379", "ZKINE_SERVICE_PORT_CLIENT=2379",
		"ZKINE_PORT=tcp://10.0.0.1:2379", "ZKINE_PORT_2379_TCP=tcp://10.0.0.1:2379", "ZKINE_PORT_2379_TCP_ADDR=10.0.0.1",
		"ZKINE_METRICS_SERVICE_HOST=10.0.0.2", "ZKINE_METRICS_PORT=tcp://10.0.0.2:2381",
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ZKINE_HELP", "ZKINE_MAX_TXN_OP"}, env.unknown)
}

// TestVariablesOfOtherCommands has a variable of the server's, which is none of theirs,
// and mistyped ones, which would have them work on another root.
func TestVariablesOfOtherCommands(t *testing.T) {
	commands := [][]string{
		{"log", "verify"}, {"log", "accept"}, {"acl", "apply"}, {"acl", "verify"}, {"archive", "--to=file:///x"},
		{"import", "--snapshot=x"}, {"export", "--snapshot=x"}, {"backup", "x"}, {"restore", "--archive=file:///x"},
		{"history", "x"}, {"undelete", "--prefix=x", "--at=2026-01-01T00:00:00Z"},
	}
	for _, args := range commands {
		var out strings.Builder
		code := execute(args, []string{"ZKINE_ZOOKEEPER_ROT=/zkine/prod", "ZKINE_ZOOKEEPER=127.0.0.1:1"}, &out, &out)
		require.Equal(t, exitUsage, code, "%v: %s", args, out.String())
		require.Equal(t, "zkine: ZKINE_ZOOKEEPER_ROT: no such setting — did you mean ZKINE_ZOOKEEPER_ROOT? "+
			"Else unset it, or give it another prefix\n", out.String(), args)
	}
	var out strings.Builder
	require.Equal(t, exitUsage, execute([]string{"archive", "verify"}, []string{"ZKINE_ARCHIV=file:///x"}, &out, &out))
	require.Contains(t, out.String(), "did you mean ZKINE_ARCHIVE?")

	server, _ := newFlags(t)
	var all []string
	for _, name := range flagNames(server) {
		all = append(all, envName(name)+"="+server.Lookup(name).DefValue)
	}
	for _, args := range append(commands, []string{"health"}, []string{"archive", "verify"}) {
		cmd, _, err := newCommand(nil).Find(args)
		require.NoError(t, err)
		_, err = readCommandEnv(cmd.Flags(), slices.DeleteFunc(slices.Clone(all), func(entry string) bool {
			name, _, _ := strings.Cut(entry, "=")
			return slices.ContainsFunc(flagNames(cmd.Flags()), func(flag string) bool { return envName(flag) == name })
		}))
		require.NoError(t, err, "%v", args)
	}
}

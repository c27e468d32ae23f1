package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

// config is what the server command was told, in the order of its help.
type config struct {
	zookeeper      []string
	root           string
	sessionTimeout time.Duration
	maxRequest     int // bytes, to ZooKeeper
	dataDir        string
	tempDir        string
	localHeap      byteSize
	chosen         struct{ request, quota bool } // by the operator, not by default
	cluster        clusterFlags
	security       securityFlags

	name             string
	clientURLs       []string
	advertiseURLs    []string
	metricsURLs      []string
	enablePprof      bool
	front            frontFlags
	tls              listener.TLS
	cors             []string
	limits           limitFlags
	maxRequestBytes  int // of a client
	maxTxnOps        int
	quotaBytes       int64
	progressInterval time.Duration
	readLease        bool
	leaderLoss       leaderLoss
	compaction       compactionFlags
	housekeeping     housekeepingFlags
	archive          archiveFlags
	autoCompaction   housekeep.AutoCompaction // what compaction means
	auth             authFlags

	etcd    etcdFlags
	tracing tracingFlags
	logging loggingFlags
}

// bind declares the flags. Names and defaults are etcd's where the meaning is.
func (c *config) bind(f *pflag.FlagSet) {
	f.SortFlags = false
	c.etcd.bind(f)
	c.bindZooKeeper(f)
	c.security.bind(f)
	c.security.bindStrict(f)
	c.cluster.bind(f)
	f.StringVar(&c.name, "name", "", "this member's `name`, unique on the root (default: the host name)")
	c.bindURLs(f)
	f.BoolVar(&c.enablePprof, "enable-pprof", false, "serve profiles of the process under /debug/pprof/ on the client and the metrics URLs")
	bindTLS(f, &c.tls)
	c.front.bind(f)
	f.StringSliceVar(&c.cors, "cors", []string{"*"}, "`origins` of web pages that browsers let use the client URLs; * is any, empty none")
	c.limits.bind(f)
	f.IntVar(&c.maxRequestBytes, "max-request-bytes", server.DefaultMaxRequestBytes, "largest request of a client in `bytes`")
	f.IntVar(&c.maxTxnOps, "max-txn-ops", server.DefaultMaxTxnOps, "most `operations` in a branch of a transaction")
	f.Int64Var(&c.quotaBytes, "quota-backend-bytes", backend.DefaultQuotaBytes, "most `bytes` that the root may hold in ZooKeeper, until the alarm NOSPACE is raised; 0 for the default, negative for no bound")
	f.DurationVar(&c.progressInterval, "watch-progress-notify-interval", backend.DefaultProgressNotifyInterval, "how often idle watchers are told the revision, if they asked for it")
	f.BoolVar(&c.readLease, "read-lease", false, "answer linearizable reads from memory while this zkine holds the root's read lease; it trusts clocks, and writes of other zkines wait for it")
	c.leaderLoss.bind(f)
	c.compaction.bind(f)
	c.auth.bind(f)
	c.housekeeping.bind(f)
	c.tracing.bind(f)
	c.logging.bind(f)
	c.archive.bindServer(f)
}

func (c *config) bindZooKeeper(f *pflag.FlagSet) {
	f.StringSliceVar(&c.zookeeper, "zookeeper", nil, "ZooKeeper servers, `host:port,...`; without it zkine runs a local one")
	f.StringVar(&c.root, "zookeeper-root", "/zkine", "`znode` that holds everything; one ensemble may hold many")
	f.DurationVar(&c.sessionTimeout, "zookeeper-session-timeout", 10*time.Second, "how long ZooKeeper may be silent until the connection is given up")
	f.IntVar(&c.maxRequest, "max-zookeeper-request", zklog.DefaultMaxRequest, "largest request to ZooKeeper in `bytes`, below its jute.maxbuffer")
	f.StringVar(&c.dataDir, "data-dir", "./zkine-data", "`folder` for what this zkine remembers of the cluster that it serves, and for the local ZooKeeper")
	f.StringVar(&c.tempDir, "temp-dir", "", "`folder` for snapshots while they are sent, with room for a few times the state (default: the system's, which TMPDIR names)")
	f.Var(&c.localHeap, "local-zookeeper-heap", "largest heap of the local ZooKeeper in `bytes`, or like 512m or 2g; not used with --zookeeper (default: a quarter of the memory, as far as the quota makes use of it)")
}

func (c *config) bindURLs(f *pflag.FlagSet) {
	f.StringSliceVar(&c.clientURLs, "listen-client-urls", []string{"http://127.0.0.1:2379"}, "`urls` to serve etcd clients on: http://host:port or unix://path, https:// or unixs:// with TLS; several with commas")
	f.StringSliceVar(&c.advertiseURLs, "advertise-client-urls", nil, "`urls` that member list tells clients (default: those listened on)")
	f.StringSliceVar(&c.metricsURLs, "listen-metrics-urls", []string{"http://127.0.0.1:2381"}, "`urls` to serve /metrics, /health, /livez, /readyz and /version on")
}

func bindTLS(f *pflag.FlagSet, t *listener.TLS) {
	f.StringVar(&t.CertFile, "cert-file", "", "PEM `file` of the certificate for https:// and unixs:// URLs, with its chain; read again when it changes")
	f.StringVar(&t.KeyFile, "key-file", "", "PEM `file` of the certificate's key")
	f.StringVar(&t.TrustedCAFile, "trusted-ca-file", "", "PEM `file` of the CAs of client certificates; each client needs one then")
	f.BoolVar(&t.ClientCertAuth, "client-cert-auth", false, "demand a certificate of each client; without --trusted-ca-file the system's CAs count")
	f.StringVar(&t.ClientCRLFile, "client-crl-file", "", "`file` with a list of revoked client certificates")
	f.StringSliceVar(&t.AllowedHostnames, "client-cert-allowed-hostname", nil, "`names` or addresses, for one of which a client's certificate has to be")
	f.StringSliceVar(&t.CipherSuites, "cipher-suites", nil, "`names` of the cipher suites for TLS 1.2, as Go has them (default: Go's choice)")
	f.StringVar(&t.MinVersion, "tls-min-version", "TLS1.2", "the oldest `version` of TLS: TLS1.2 or TLS1.3")
	f.StringVar(&t.MaxVersion, "tls-max-version", "", "the newest `version` of TLS: TLS1.2 or TLS1.3 (default: the newest there is)")
}

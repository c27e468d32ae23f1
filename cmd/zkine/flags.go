package main

import (
	"errors"
	"fmt"
	"strings"
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

	name             string
	clientURLs       []string
	advertiseURLs    []string
	metricsURLs      []string
	enablePprof      bool
	tls              listener.TLS
	cors             []string
	maxRequestBytes  int // of a client
	maxTxnOps        int
	quotaBytes       int64
	progressInterval time.Duration
	leaderLoss       leaderLoss
	compaction       compactionFlags
	housekeeping     housekeepingFlags
	autoCompaction   housekeep.AutoCompaction // what compaction means
	auth             authFlags

	logLevel, logFormat string
}

// bind declares the flags. Names and defaults are etcd's where the meaning is.
func (c *config) bind(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringSliceVar(&c.zookeeper, "zookeeper", nil, "ZooKeeper servers, `host:port,...`; without it zkine runs a local one")
	f.StringVar(&c.root, "zookeeper-root", "/zkine", "`znode` that holds everything; one ensemble may hold many")
	f.DurationVar(&c.sessionTimeout, "zookeeper-session-timeout", 10*time.Second, "how long ZooKeeper may be silent until the connection is given up")
	f.IntVar(&c.maxRequest, "max-zookeeper-request", zklog.DefaultMaxRequest, "largest request to ZooKeeper in `bytes`, below its jute.maxbuffer")
	f.StringVar(&c.dataDir, "data-dir", "./zkine-data", "`folder` for what this zkine remembers of the cluster that it serves, and for the local ZooKeeper")
	f.StringVar(&c.tempDir, "temp-dir", "", "`folder` for snapshots while they are sent, with room for a few times the state (default: the system's, which TMPDIR names)")
	c.bindHeap(f)
	c.cluster.bind(f)
	f.StringVar(&c.name, "name", "", "this member's `name`, unique on the root (default: the host name)")
	f.StringSliceVar(&c.clientURLs, "listen-client-urls", []string{"http://127.0.0.1:2379"}, "`urls` to serve etcd clients on: http://host:port or unix://path, https:// or unixs:// with TLS; several with commas")
	f.StringSliceVar(&c.advertiseURLs, "advertise-client-urls", nil, "`urls` that member list tells clients (default: those listened on)")
	f.StringSliceVar(&c.metricsURLs, "listen-metrics-urls", []string{"http://127.0.0.1:2381"}, "`urls` to serve /metrics, /health, /livez, /readyz and /version on")
	f.BoolVar(&c.enablePprof, "enable-pprof", false, "serve profiles of the process under /debug/pprof/ on the client and the metrics URLs")
	f.StringVar(&c.tls.CertFile, "cert-file", "", "PEM `file` of the certificate for https:// and unixs:// URLs, with its chain; read again when it changes")
	f.StringVar(&c.tls.KeyFile, "key-file", "", "PEM `file` of the certificate's key")
	f.StringVar(&c.tls.TrustedCAFile, "trusted-ca-file", "", "PEM `file` of the CAs of client certificates; each client needs one then")
	f.BoolVar(&c.tls.ClientCertAuth, "client-cert-auth", false, "demand a certificate of each client; without --trusted-ca-file the system's CAs count")
	f.StringVar(&c.tls.ClientCRLFile, "client-crl-file", "", "`file` with a list of revoked client certificates")
	f.StringSliceVar(&c.tls.CipherSuites, "cipher-suites", nil, "`names` of the cipher suites for TLS 1.2, as Go has them (default: Go's choice)")
	f.StringVar(&c.tls.MinVersion, "tls-min-version", "TLS1.2", "the oldest `version` of TLS: TLS1.2 or TLS1.3")
	f.StringVar(&c.tls.MaxVersion, "tls-max-version", "", "the newest `version` of TLS: TLS1.2 or TLS1.3 (default: the newest there is)")
	f.StringSliceVar(&c.cors, "cors", []string{"*"}, "`origins` of web pages that browsers let use the client URLs; * is any, empty none")
	f.IntVar(&c.maxRequestBytes, "max-request-bytes", server.DefaultMaxRequestBytes, "largest request of a client in `bytes`")
	f.IntVar(&c.maxTxnOps, "max-txn-ops", server.DefaultMaxTxnOps, "most `operations` in a branch of a transaction")
	f.Int64Var(&c.quotaBytes, "quota-backend-bytes", backend.DefaultQuotaBytes, "most `bytes` that the root may hold in ZooKeeper, until the alarm NOSPACE is raised; 0 for the default, negative for no bound")
	f.DurationVar(&c.progressInterval, "watch-progress-notify-interval", backend.DefaultProgressNotifyInterval, "how often idle watchers are told the revision, if they asked for it")
	c.leaderLoss.bind(f)
	c.compaction.bind(f)
	c.auth.bind(f)
	c.housekeeping.bind(f)
	f.StringVar(&c.logLevel, "log-level", "info", "the least `level` that is logged: debug, info, warn or error")
	f.StringVar(&c.logFormat, "log-format", "text", "`format` of the log: text or json")
}

// flagProblem says what is wrong with a flag.
func flagProblem(err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		bad     *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		if unknown.GetSpecifiedShortnames() != "" {
			return &problem{thing: "-" + unknown.GetSpecifiedShortnames(), what: "no such flag", remedy: "see --help", usage: true}
		}
		return &problem{thing: "--" + unknown.GetSpecifiedName(), what: "no such flag", remedy: "see --help", usage: true}
	case errors.As(err, &empty):
		return &problem{
			thing: "--" + empty.GetSpecifiedName(), what: "a value is missing",
			remedy: fmt.Sprintf("write --%s=...", empty.GetSpecifiedName()), usage: true,
		}
	case errors.As(err, &bad):
		return badValue("--"+bad.GetFlag().Name, bad.GetFlag(), bad.GetValue())
	}
	return &problem{what: err.Error(), remedy: "see --help", usage: true}
}

// badValue is for a value that cannot be read; source is the flag or the
// variable that holds it.
func badValue(source string, f *pflag.Flag, value string) *problem {
	p := &problem{thing: source, what: fmt.Sprintf("%q cannot be read", value), usage: true}
	switch f.Value.Type() {
	case "int", "int64":
		p.what, p.remedy = fmt.Sprintf("%q is not a whole number", value), "write one like "+f.DefValue
	case "bytes":
		p.what, p.remedy = fmt.Sprintf("%q is not a number of bytes", value), "write one like 536870912, 512m or 2g"
	case "duration":
		p.what, p.remedy = fmt.Sprintf("%q is not a duration", value), "write one like 500ms, 10s or 5m"
	default:
		p.remedy = "write it like " + strings.Trim(f.DefValue, "[]")
	}
	return p
}

package doctor

import (
	"context"
	"crypto/tls"
	"regexp"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
)

// Config says what to look at, and what it is meant to be.
type Config struct {
	// Version is this zkine's.
	Version string
	// Ensemble is how ZooKeeper is reached; nil if only zkines are to be looked at.
	Ensemble *zkclient.Ensemble
	// DialTimeout bounds how long a session is tried for.
	DialTimeout time.Duration
	// Root is the znode that holds, or is to hold, everything. ClusterID is that of
	// the cluster that it must hold; 0 for any.
	Root      string
	ClusterID uint64
	// ACL is what znodes are to have; nil lets everyone do all.
	ACL zkacl.List
	// MaxRequest is the size of the largest request to ZooKeeper, in bytes, and Quota
	// the most that a root may hold, in bytes; negative for no bound.
	MaxRequest int
	Quota      int64
	// SessionTimeout is what zkine asks for.
	SessionTimeout time.Duration
	// AdminPort is that of the servers' admin servers; 0 asks none.
	AdminPort int
	// ZooCfg is the content of a server's zoo.cfg; "" if none is at hand.
	ZooCfg string
	// Local says that the server is zkine's own, whose zoo.cfg is written at each start.
	Local bool
	// Endpoints are zkines to be asked; none are those that the root lists.
	Endpoints []string
	// Connect makes a client of the etcd API to a URL, which the doctor closes.
	Connect func(ctx context.Context, url string) (*clientv3.Client, error)
	// TLS is for the URLs of zkines that have it.
	TLS tlsConfig
	// Ignore names checks that are left out.
	Ignore []string
	// Now is this machine's clock; nil for the real one.
	Now func() time.Time
	// Progress hears what is looked at next; may be nil.
	Progress func(about string, done, of int)
}

// tlsConfig makes the configuration of a connection.
type tlsConfig = func() (*tls.Config, error)

func (c *Config) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Config) progress(about string, done, of int) {
	if c.Progress != nil {
		c.Progress(about, done, of)
	}
}

// packageNames begin errors, and those that they wrap.
var packageNames = regexp.MustCompile(`(^|[:;,] |\()(?:(?:revision|zkacl|identity): )+`)

// plainly is an error in one line, without names of packages.
func plainly(err error) string {
	if err == nil {
		return "the reason is not known"
	}
	text := packageNames.ReplaceAllString(err.Error(), "$1")
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	return text
}

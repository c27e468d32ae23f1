package zktest

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// WithEnforcedQuotas makes the server refuse what would exceed a quota, instead of only warning of it.
func WithEnforcedQuotas() Option { return WithProperty("enforceQuota", "true") }

// SetQuota bounds a znode and all below it, as zkCli.sh's setquota -N and -B do: how many there may be, and how many
// bytes of data; -1 for no bound. The znode must exist. It may be called again, with other bounds.
func (s *Server) SetQuota(znode string, znodes, bytes int64) {
	s.t.Helper()
	conn, _, err := zk.Connect([]string{s.Addr()}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		s.t.Fatalf("zktest: %v", err)
	}
	defer conn.Close()
	limits := []byte(fmt.Sprintf("count=-1,bytes=-1=;byteHardLimit=%d;countHardLimit=%d", bytes, znodes))
	folder := "/zookeeper/quota"
	for _, name := range strings.Split(strings.Trim(znode, "/"), "/") {
		folder = path.Join(folder, name)
		if _, err := conn.Create(folder, nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			s.t.Fatalf("zktest: %v", err)
		}
	}
	_, err = conn.Create(folder+"/zookeeper_limits", limits, 0, zk.WorldACL(zk.PermAll))
	if errors.Is(err, zk.ErrNodeExists) {
		if _, err = conn.Set(folder+"/zookeeper_limits", limits, -1); err == nil {
			return
		}
	}
	if err == nil {
		// The server counts what is there when this znode is made.
		_, err = conn.Create(folder+"/zookeeper_stats", []byte("count=0,bytes=0"), 0, zk.WorldACL(zk.PermAll))
	}
	if err != nil {
		s.t.Fatalf("zktest: set a quota on %s: %v", znode, err)
	}
}

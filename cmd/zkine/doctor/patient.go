package doctor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// patient is what is looked at: the servers with what they answered, a session, and
// the zkines that are known.
type patient struct {
	cfg     Config
	servers []*server
	// session is with the leader, if that was found; nil if there is none, for the
	// reason sessionErr.
	session    zkclient.Conn
	acls       zkacl.Session
	sessionErr error
	// rootErr is why the root cannot be looked at; nil if it holds a cluster.
	rootErr error
	// holding is what the root holds; nil without one.
	holding *zkroot.Holding
	// near are other roots, where this one holds no cluster.
	near    []string
	members []*member
	// writes is what the scratch znode has shown; made once.
	writesOnce sync.Once
	writes     *writes
}

// newPatient asks everyone at once, each for a few seconds at most.
func newPatient(ctx context.Context, cfg Config) *patient {
	p := &patient{cfg: cfg, rootErr: errors.New("no ZooKeeper is named")}
	if cfg.Ensemble != nil {
		p.askServers(ctx)
		p.dial(ctx)
		if p.session != nil {
			p.rootErr = p.lookAtRoot(ctx)
		}
	}
	p.findMembers(ctx)
	return p
}

// dial opens the session.
func (p *patient) dial(ctx context.Context) {
	timeout := fmt.Errorf("none was granted in %v", p.cfg.DialTimeout)
	within, cancel := context.WithTimeoutCause(ctx, p.cfg.DialTimeout, timeout)
	defer cancel()
	conn, err := p.cfg.Ensemble.Dial(within)
	if err != nil {
		p.sessionErr = err
		return
	}
	if p.acls, err = zkacl.SessionOf(conn); err != nil {
		conn.Close()
		p.sessionErr = err
		return
	}
	p.session = conn
}

// errNoCluster says that no zkine was ever started on the root.
var errNoCluster = errors.New("there is no cluster")

// lookAtRoot says why there is no root to look at; nil if there is one.
func (p *patient) lookAtRoot(ctx context.Context) error {
	reader := zkroot.NewReader(p.session, zkroot.Layout{Root: p.cfg.Root})
	holding, err := reader.Look(ctx, zkroot.Wanted{Root: p.cfg.Root, ClusterID: p.cfg.ClusterID})
	if errors.Is(err, revision.ErrNoData) {
		if err := zkroot.CheckEmpty(ctx, p.session, zkroot.Layout{Root: p.cfg.Root}); err != nil {
			return err // no zkine makes one here
		}
		p.near = reader.NearRoots(ctx)
		return fmt.Errorf("%w under %s yet", errNoCluster, p.cfg.Root)
	}
	p.holding = holding
	return err
}

// blind says whether nothing has answered.
func (p *patient) blind() bool {
	if p.session != nil {
		return false
	}
	for _, s := range p.servers {
		if s.answered() {
			return false
		}
	}
	for _, m := range p.members {
		if m.err == nil {
			return false
		}
	}
	return true
}

func (p *patient) close() {
	for _, s := range p.servers {
		if s.session != nil {
			s.session.Close()
		}
	}
	for _, m := range p.members {
		m.close()
	}
	if p.session != nil {
		p.session.Close()
	}
}

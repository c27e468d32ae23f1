package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/cmd/zkine/clienturl"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkmember"
	"github.com/zkine/zkine/revision/zkroot"
)

// member is a zkine that is asked by the etcd API.
type member struct {
	name string
	// id is what the root lists; 0 if it was not looked at.
	id   uint64
	urls []string
	// reached says that something took a connection at one of them.
	reached bool
	// url is the one that answered.
	url    string
	client *clientv3.Client
	status *clientv3.StatusResponse
	err    error
}

// askTime bounds one question to one zkine.
const askTime = 5 * time.Second

// findMembers asks the zkines that are named, or those that the root lists.
func (p *patient) findMembers(ctx context.Context) {
	for _, at := range p.cfg.Endpoints {
		p.members = append(p.members, &member{name: at, urls: []string{at}})
	}
	if len(p.cfg.Endpoints) == 0 && p.rootErr == nil {
		listed, err := zkmember.List(ctx, p.session, zkroot.Layout{Root: p.cfg.Root}, func(string) {})
		if err != nil {
			p.rootErr = err
			return
		}
		for _, m := range listed {
			p.members = append(p.members, &member{name: m.Name, id: m.ID, urls: m.ClientURLs})
		}
	}
	var group zkclient.Group
	for _, m := range p.members {
		group.Go(func() { m.ask(ctx, &p.cfg) })
	}
	group.Wait()
}

// listed is how many zkines the root lists.
func (p *patient) listed() int {
	if len(p.cfg.Endpoints) > 0 {
		return 0 // it was not looked at
	}
	return len(p.members)
}

// keptOut says whether a zkine answers and wants to know more of who asks, or shows a
// certificate that is not trusted here.
func keptOut(err error) bool {
	if errors.Is(err, clienturl.ErrTLS) {
		return true
	}
	// A login that fails comes as text.
	for _, kept := range []error{rpctypes.ErrUserEmpty, rpctypes.ErrAuthFailed, rpctypes.ErrPermissionDenied, rpctypes.ErrInvalidAuthToken} {
		if strings.Contains(err.Error(), kept.Error()) {
			return true
		}
	}
	return false
}

// errAnother says that a URL leads to another zkine than the one that has told it, as
// one on the loopback interface does on each machine.
var errAnother = errors.New("another zkine answers there")

// elsewhere says whether a zkine that does not answer may be well on another machine:
// what it tells is of use there alone, and leads here to nothing, or to another zkine.
func (m *member) elsewhere() bool {
	if m.id == 0 || m.reached && !errors.Is(m.err, errAnother) {
		return false
	}
	for _, text := range m.urls {
		u, err := url.Parse(text)
		if err != nil || !strings.HasPrefix(u.Scheme, "unix") && !onLoopback(u.Hostname()) {
			return false
		}
	}
	return len(m.urls) > 0
}

// ask asks for the status at one URL after the other.
func (m *member) ask(ctx context.Context, cfg *Config) {
	m.err = errors.New("it tells no URL for clients")
	for _, at := range m.urls {
		// gRPC would try for as long as it may, and not tell why.
		if m.err = reach(ctx, at, cfg.TLS); m.err != nil {
			continue
		}
		m.reached = true
		client, err := cfg.Connect(ctx, at)
		if err != nil {
			m.err = plainURL(ctx, at, err)
			continue
		}
		m.status, m.err = status(ctx, client, at)
		if m.err == nil && m.id != 0 && m.status.Header.MemberId != m.id {
			m.err = errAnother
		}
		if m.err == nil {
			m.client, m.url = client, at
			return
		}
		client.Close()
		m.err = plainURL(ctx, at, m.err)
	}
}

// errPlainURL says that a zkine with TLS was asked without.
var errPlainURL = errors.New("it speaks TLS, and its URL is one without")

// plainURL is err, or that what listens at a URL wants TLS, which gRPC does not tell.
func plainURL(ctx context.Context, at string, err error) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if !errors.Is(err, errAnother) && clienturl.WantsTLS(ctx, at) {
		return errPlainURL
	}
	return err
}

func reach(ctx context.Context, at string, config tlsConfig) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no connection within %v", askTime))
	defer cancel()
	return clienturl.Reach(ctx, at, config)
}

func status(ctx context.Context, client *clientv3.Client, at string) (*clientv3.StatusResponse, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer within %v", askTime))
	defer cancel()
	s, err := client.Status(ctx, at)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return s, err
}

func (m *member) close() {
	if m.client != nil {
		m.client.Close()
	}
}

// members looks whether each answers.
func members(_ context.Context, p *patient) (found []Finding) {
	for _, m := range p.members {
		switch {
		case m.err != nil && keptOut(m.err):
			f := unknown("member "+m.name, "it could not be looked at: it answers at %s, and does not let this doctor in: %s", strings.Join(m.urls, ", "), plainly(m.err))
			f.Remedy = "give --cacert, and --cert and --key if it wants a certificate, and --user with root's password if users count"
			found = append(found, f)
			continue
		case m.err != nil && m.elsewhere():
			f := unknown("member "+m.name, "it could not be looked at: it tells only %s, which is of use on its own machine alone: %s", strings.Join(m.urls, ", "), plainly(m.err))
			f.Remedy = "run this there, too; or have it listen where others reach it, or say so with --advertise-client-urls"
			found = append(found, f)
			continue
		case errors.Is(m.err, errPlainURL):
			found = append(found, Finding{Level: Problem, Thing: "member " + m.name, What: fmt.Sprintf("it does not answer at %s: %s", strings.Join(m.urls, ", "), plainly(m.err)),
				Why: "clients that are told this URL wait for it, and are not told why", Remedy: "write https:// with --endpoints, and in that zkine's --advertise-client-urls"})
			continue
		case m.err != nil:
			found = append(found, Finding{Level: Problem, Thing: "member " + m.name, What: fmt.Sprintf("it does not answer at %s: %s", strings.Join(m.urls, ", "), plainly(m.err)),
				Why: "clients that have it among their endpoints wait for it; if only this machine does not reach it, nothing is wrong with it", Remedy: "see its log; correct --advertise-client-urls"})
			continue
		}
		role := ""
		if m.status.Leader == m.status.Header.MemberId {
			role = ", the keeper"
		}
		found = append(found, ok("member "+m.name, "it serves etcd %s at revision %d%s", m.status.Version, m.status.Header.Revision, role))
	}
	return found
}

// lagTime is how long a zkine may take to reach what was in the log before.
const lagTime = 5 * time.Second

// lag looks whether each reaches the place in the log that was its end before it is
// asked.
func lag(ctx context.Context, p *patient) []Finding {
	end, err := p.end(ctx)
	if err != nil {
		return []Finding{unknown("", "it could not be looked at: %s", plainly(err))}
	}
	var found []Finding
	for _, m := range p.members {
		if m.err == nil {
			found = append(found, m.reaches(ctx, end))
		}
	}
	if found == nil {
		return []Finding{unknown("", "it could not be looked at: no zkine answers")}
	}
	return found
}

// end is the end of the log as its raft_index, or, without a root, the farthest place
// that any member has reached.
func (p *patient) end(ctx context.Context) (uint64, error) {
	if p.rootErr != nil || len(p.cfg.Endpoints) > 0 {
		end := uint64(0)
		for _, m := range p.members {
			if m.err == nil {
				end = max(end, m.status.RaftAppliedIndex)
			}
		}
		return end, nil
	}
	reader := zkroot.NewReader(p.session, zkroot.Layout{Root: p.cfg.Root})
	if err := reader.Barrier(ctx); err != nil {
		return 0, err
	}
	open, err := reader.Open(ctx)
	if err != nil {
		return 0, err
	}
	stat, err := p.session.Exists(ctx, zkroot.Layout{Root: p.cfg.Root}.Segment(open.Name))
	if err != nil || stat.Version == 0 {
		return 0, err
	}
	return revision.Seq{Segment: open.Number, Slot: int64(stat.Version) - 1}.Index(), nil
}

func (m *member) reaches(ctx context.Context, end uint64) Finding {
	began := time.Now()
	for {
		s, err := status(ctx, m.client, m.url)
		switch {
		case err != nil:
			return unknown("member "+m.name, "it could not be looked at: %s", plainly(err))
		case s.RaftAppliedIndex >= end:
			return ok("member "+m.name, "it has applied the log to its end")
		case time.Since(began) > lagTime || ctx.Err() != nil:
			return Finding{Level: Problem, Thing: "member " + m.name, What: fmt.Sprintf("it has not reached in %v what was in the log before: it is at %s, the end was %s", lagTime, place(s.RaftAppliedIndex), place(end)),
				Why: "its serializable reads are old, its watches late, and linearizable reads wait", Remedy: "see its log, its processor time and its memory; restart it if it does not move"}
		}
		zkclient.Pause(ctx, lagTime/20)
	}
}

// place is segment/slot of a raft_index.
func place(index uint64) string { return fmt.Sprintf("%d/%d", index>>32, int64(index&(1<<32-1))-1) }

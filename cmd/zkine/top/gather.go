package top

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend/observepb"
	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/usage"
)

// Gatherer asks the members of a cluster. It is used by one goroutine at a time.
type Gatherer struct {
	// Endpoints are the URLs that are asked first; the other members are found through
	// them.
	Endpoints []string
	// Connect makes a client of one URL. ctx bounds that, and not the client's life.
	Connect func(ctx context.Context, url string) (*clientv3.Client, error)
	// Limit is how many prefixes and clients each member lists.
	Limit int

	clients map[string]*clientv3.Client
	// failed is which ones could not be made, and when that was tried last.
	failed map[string]failure
}

type failure struct {
	at  time.Time
	err error
}

// tryAgain is after what time a client is made again that could not be made.
const tryAgain = 5 * time.Second

// Close ends the connections.
func (g *Gatherer) Close() {
	for _, c := range g.clients {
		c.Close()
	}
	g.clients = nil
}

// answer is what one member told.
type answer struct {
	url    string
	member Member
	usage  usage.Report
	list   []*pb.Member
	err    error
}

// Gather asks all members at once, and then those that the first ones named. Its rates are
// over about interval. ctx bounds it; who has not told by then has an error.
func (g *Gatherer) Gather(ctx context.Context, interval time.Duration) *Snapshot {
	answers := g.askInShare(ctx, 3, g.Endpoints, interval) // the rest and the ensemble come after
	var rest []string
	unreached := map[string]*pb.Member{}
	for _, m := range listed(answers) {
		if slices.ContainsFunc(answers, func(a answer) bool { return a.err == nil && a.member.ID == m.ID }) || len(m.ClientURLs) == 0 {
			continue
		}
		// One URL is asked: others of the same member would be counted again.
		url := m.ClientURLs[0]
		if at := slices.IndexFunc(answers, func(a answer) bool { return advertises(m, a.url) }); at >= 0 {
			answers[at].member.ID, answers[at].member.Name = m.ID, m.Name
			continue
		}
		rest = append(rest, url)
		unreached[url] = m
	}
	for _, a := range g.askInShare(ctx, 2, rest, interval) {
		if a.err != nil {
			a.member.ID, a.member.Name = unreached[a.url].ID, unreached[a.url].Name
		}
		answers = append(answers, a)
	}
	s := together(answers)
	g.askEnsemble(ctx, answers, s)
	return s
}

// advertises says whether an endpoint is one of a member's URLs. It may have no scheme.
func advertises(m *pb.Member, endpoint string) bool {
	return slices.ContainsFunc(m.ClientURLs, func(url string) bool {
		_, address, _ := strings.Cut(url, "://")
		return url == endpoint || address == endpoint
	})
}

// listed are the members that the first one that told knows of.
func listed(answers []answer) []*pb.Member {
	for _, a := range answers {
		if len(a.list) > 0 {
			return a.list
		}
	}
	return nil
}

// together makes a snapshot of all answers. A member that was asked by two URLs counts
// once.
func together(answers []answer) *Snapshot {
	s := &Snapshot{At: time.Now(), Members: []Member{}, Ensemble: []observe.Server{}}
	var reports []usage.Report
	seen := map[uint64]bool{}
	newest := int64(0)
	for _, a := range answers {
		if a.err != nil {
			a.member.Endpoint, a.member.Error = a.url, why(a.err)
			s.Members = append(s.Members, a.member)
			continue
		}
		if seen[a.member.ID] {
			continue
		}
		seen[a.member.ID] = true
		s.Members = append(s.Members, a.member)
		reports = append(reports, a.usage)
		newest = max(newest, a.member.Revision)
	}
	for i := range s.Members {
		if m := &s.Members[i]; m.Error == "" {
			m.LagRevisions = newest - m.Revision
		}
	}
	slices.SortStableFunc(s.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	s.Usage = merge(reports)
	return s
}

// askInShare is ask in this share of the time that is left: a member that keeps silent takes
// none from what is asked later, which would look as silent.
func (g *Gatherer) askInShare(ctx context.Context, share int, urls []string, interval time.Duration) []answer {
	if end, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(share))
		defer cancel()
	}
	return g.ask(ctx, urls, interval)
}

// part ends after two fifths of the time that ctx leaves.
func part(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*2/5)
}

// ask asks the members at some URLs, all at once.
func (g *Gatherer) ask(ctx context.Context, urls []string, interval time.Duration) []answer {
	ctx, cancel := part(ctx)
	defer cancel()
	answers := make([]answer, len(urls))
	clients := make([]*clientv3.Client, len(urls))
	var wg sync.WaitGroup
	for i, url := range urls {
		if f := g.failed[url]; f.err != nil && time.Since(f.at) < tryAgain {
			answers[i] = answer{url: url, err: f.err}
			continue
		}
		wg.Go(func() { clients[i], answers[i] = g.askOne(ctx, url, g.clients[url], interval) })
	}
	wg.Wait()
	if g.clients == nil {
		g.clients, g.failed = map[string]*clientv3.Client{}, map[string]failure{}
	}
	for i, url := range urls {
		switch {
		case clients[i] != nil:
			g.clients[url] = clients[i]
			delete(g.failed, url)
		case g.failed[url].err != answers[i].err: //nolint:errorlint // whether it is the one of the last time
			g.failed[url] = failure{time.Now(), answers[i].err}
		}
	}
	return answers
}

// askOne asks one member, by a client that there may be already.
func (g *Gatherer) askOne(ctx context.Context, url string, client *clientv3.Client, interval time.Duration) (*clientv3.Client, answer) {
	a := answer{url: url}
	if client == nil {
		if client, a.err = g.Connect(ctx, url); a.err != nil {
			return nil, a
		}
	}
	of := observepb.NewObserveClient(client.ActiveConnection())
	member, err := of.Member(ctx, &observepb.MemberRequest{})
	if err != nil {
		a.err = err
		return client, a
	}
	a.member = Member{Member: observe.ToMember(member), Endpoint: url}
	report, err := of.Usage(ctx, &observepb.UsageRequest{IntervalMs: interval.Milliseconds(), Limit: int32(g.Limit)})
	if err != nil {
		a.err = err
		return client, a
	}
	a.usage = observe.ToReport(report)
	a.list = list(ctx, pb.NewClusterClient(client.ActiveConnection()))
	return client, a
}

// listPatience is how long the list of members as of now may take: while ZooKeeper is away
// there is only the one as it was known.
const listPatience = time.Second

func list(ctx context.Context, of pb.ClusterClient) []*pb.Member {
	patience := listPatience
	if end, bounded := ctx.Deadline(); bounded {
		patience = min(patience, time.Until(end)/2) // the other half is for what was known
	}
	current, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := of.MemberList(current, &pb.MemberListRequest{Linearizable: true})
	if err != nil {
		resp, err = of.MemberList(ctx, &pb.MemberListRequest{})
	}
	if err != nil {
		return nil
	}
	return resp.Members
}

// askEnsemble has the first member that told ask its servers.
func (g *Gatherer) askEnsemble(ctx context.Context, answers []answer, s *Snapshot) {
	s.EnsembleError = "no member tells"
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		resp, err := observepb.NewObserveClient(g.clients[a.url].ActiveConnection()).Ensemble(ctx, &observepb.EnsembleRequest{})
		if err == nil {
			s.Ensemble, s.EnsembleError = observe.ToServers(resp), ""
			return
		}
		s.EnsembleError = why(err)
	}
}

// why is an error in one line, for people.
func why(err error) string {
	switch code := status.Code(err); {
	case code == codes.Unimplemented:
		return "it does not tell: an etcd, or an earlier zkine"
	case code == codes.PermissionDenied, code == codes.InvalidArgument && strings.Contains(err.Error(), "user name is empty"):
		return "users count: root alone may ask, see --user"
	case code == codes.DeadlineExceeded, errors.Is(err, context.DeadlineExceeded):
		return "it does not answer"
	case code == codes.Unavailable:
		_, cause, found := strings.Cut(status.Convert(err).Message(), "while dialing: ")
		if found {
			return oneLine(strings.Trim(cause, `"`))
		}
	case code == codes.Unknown:
		return oneLine(err.Error())
	}
	return oneLine(status.Convert(err).Message())
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

package calllog

import (
	"context"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/throttle"
)

// about is what a request is about, besides its keys: names of fields and numbers.
type about struct {
	key, end []byte
	hasKey   bool
	fields   []field
}

type field struct {
	name  string
	value any // an int64, an int or a bool
}

// requestAbout is what identifies a request, and nothing of the values in it. It takes
// whatever parses as one.
func requestAbout(req any) (a about) {
	keys := func(key, end []byte) { a.key, a.end, a.hasKey = key, end, true }
	add := func(name string, value any) { a.fields = append(a.fields, field{name, value}) }
	switch r := req.(type) {
	case *pb.RangeRequest:
		keys(r.GetKey(), r.GetRangeEnd())
		add("limit", r.GetLimit())
		add("revision", r.GetRevision())
		add("serializable", r.GetSerializable())
		add("count_only", r.GetCountOnly())
		add("keys_only", r.GetKeysOnly())
	case *pb.PutRequest:
		keys(r.GetKey(), nil)
		add("lease", r.GetLease())
	case *pb.DeleteRangeRequest:
		keys(r.GetKey(), r.GetRangeEnd())
	case *pb.TxnRequest:
		add("compares", len(r.GetCompare()))
		add("success_ops", len(r.GetSuccess()))
		add("failure_ops", len(r.GetFailure()))
		if key, end, ok := firstKey(r); ok {
			keys(key, end)
		}
	case *pb.WatchCreateRequest:
		keys(r.GetKey(), r.GetRangeEnd())
		add("revision", r.GetStartRevision())
		add("prev_kv", r.GetPrevKv())
	case *pb.CompactionRequest:
		add("revision", r.GetRevision())
		add("physical", r.GetPhysical())
	case *pb.LeaseGrantRequest:
		add("lease", r.GetID())
		add("ttl", r.GetTTL())
	case *pb.LeaseRevokeRequest:
		add("lease", r.GetID())
	case *pb.LeaseKeepAliveRequest:
		add("lease", r.GetID())
	case *pb.LeaseTimeToLiveRequest:
		add("lease", r.GetID())
		add("keys", r.GetKeys())
	}
	return a
}

// firstKey is the first key, or range of keys, that a transaction names.
func firstKey(r *pb.TxnRequest) (key, end []byte, ok bool) {
	for _, c := range r.GetCompare() {
		return c.GetKey(), c.GetRangeEnd(), true
	}
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			switch {
			case op.GetRequestPut() != nil:
				return op.GetRequestPut().GetKey(), nil, true
			case op.GetRequestRange() != nil:
				return op.GetRequestRange().GetKey(), op.GetRequestRange().GetRangeEnd(), true
			case op.GetRequestDeleteRange() != nil:
				return op.GetRequestDeleteRange().GetKey(), op.GetRequestDeleteRange().GetRangeEnd(), true
			}
		}
	}
	return nil, nil, false
}

// name is what the keys of a request belong to.
func (l *Log) name(a about) Name {
	if !a.hasKey {
		return Name{}
	}
	return l.cfg.Names(a.key, a.end)
}

// describe adds what a request is about.
func (l *Log) describe(fields logrus.Fields, req any) {
	a := requestAbout(req)
	for _, f := range a.fields {
		fields[f.name] = f.value
	}
	n := l.name(a)
	setText(fields, "prefix", n.Prefix)
	setText(fields, "resource", n.Resource)
	setText(fields, "namespace", n.Namespace)
}

func setText(fields logrus.Fields, name, text string) {
	if text != "" {
		fields[name] = text
	}
}

// client is who makes a call, with texts of a bounded length.
func (l *Log) client(ctx context.Context) Client {
	c := l.cfg.Client(ctx)
	for _, text := range []*string{&c.User, &c.Certificate, &c.UserAgent} {
		*text = throttle.Cut(*text)
	}
	return c
}

func (c Client) tell(fields logrus.Fields) {
	setText(fields, "client", c.Address)
	setText(fields, "user", c.User)
	setText(fields, "certificate", c.Certificate)
	setText(fields, "user_agent", c.UserAgent)
}

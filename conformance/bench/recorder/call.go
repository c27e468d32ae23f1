package recorder

import (
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/conformance/bench/trace"
)

// call is one call that passes.
type call struct {
	*Recorder
	method string
	conn   int
	index  int // of a unary call's request
	// Of a stream of watches: its number, its watches' ids in the order in which they were asked for, how many were
	// asked for, and which are cancelled.
	stream    int
	ids       []int64
	asked     int
	cancelled map[int]bool
}

func (r *Recorder) begin(method, client string) *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &call{Recorder: r, method: method, conn: r.connection(client), index: trace.None, cancelled: make(map[int]bool)}
	if method == pb.Watch_Watch_FullMethodName {
		c.stream = r.streams
		r.streams++
	}
	return c
}

// request looks at a request.
func (c *call) request(m raw) {
	c.mu.Lock()
	defer c.mu.Unlock()
	request, err := c.understand(m)
	if err != nil {
		c.unknown[c.method+": "+err.Error()]++
	}
	if request.Kind != "" {
		request.Conn = c.conn
		c.index = c.add(request)
	}
}

// understand turns a message into a request; without a kind it is none.
func (c *call) understand(m raw) (trace.Request, error) {
	none := trace.Request{Since: trace.None, Lease: trace.None}
	switch c.method {
	case pb.KV_Range_FullMethodName, pb.KV_RangeStream_FullMethodName:
		return c.reading(m, none)
	case pb.KV_Txn_FullMethodName:
		return c.transaction(m, none)
	case pb.KV_Compact_FullMethodName:
		var q pb.CompactionRequest
		err := proto.Unmarshal(m, &q)
		none.Kind, none.Since = trace.Compact, c.since(q.Revision)
		return none, err
	case pb.Lease_LeaseGrant_FullMethodName:
		var q pb.LeaseGrantRequest
		err := proto.Unmarshal(m, &q)
		none.Kind, none.TTL = trace.Grant, q.TTL
		return none, err
	case pb.Watch_Watch_FullMethodName:
		return c.watching(m, none)
	case pb.Maintenance_Status_FullMethodName:
		none.Kind = trace.Status
		return none, nil
	}
	return none, fmt.Errorf("not known")
}

func (c *call) reading(m raw, r trace.Request) (trace.Request, error) {
	var q pb.RangeRequest
	err := proto.Unmarshal(m, &q)
	if r.Kind = trace.Range; c.method == pb.KV_RangeStream_FullMethodName {
		r.Kind = trace.Stream
	}
	r.Key, r.End, r.Limit = string(q.Key), string(q.RangeEnd), int(q.Limit)
	r.Count, r.KeysOnly, r.Serializable = q.CountOnly, q.KeysOnly, q.Serializable
	if q.Revision > 0 {
		r.Since = c.since(q.Revision)
	}
	return r, err
}

// transaction understands kube-apiserver's: one comparison with one key, and one operation on it.
func (c *call) transaction(m raw, r trace.Request) (trace.Request, error) {
	var q pb.TxnRequest
	if err := proto.Unmarshal(m, &q); err != nil {
		return r, err
	}
	if len(q.Compare) != 1 || len(q.Success) != 1 || q.Compare[0].Result != pb.Compare_EQUAL {
		return r, fmt.Errorf("a transaction with %d comparisons and %d operations", len(q.Compare), len(q.Success))
	}
	compare := q.Compare[0]
	r.Key = string(compare.Key)
	absent := false
	switch compare.Target {
	case pb.Compare_MOD:
		absent = compare.GetModRevision() == 0
	case pb.Compare_VERSION:
		r.ByVersion, absent = true, compare.GetVersion() == 0
	default:
		return r, fmt.Errorf("a comparison of %v", compare.Target)
	}
	put, remove := q.Success[0].GetRequestPut(), q.Success[0].GetRequestDeleteRange()
	switch {
	case put != nil:
		if r.Kind = trace.Update; absent {
			r.Kind = trace.Create
		}
		r.Size = len(put.Value)
		if grant, known := c.leases[put.Lease]; known {
			r.Lease = grant
		}
	case remove != nil && !absent:
		r.Kind = trace.Delete
	default:
		return r, fmt.Errorf("a transaction of another shape")
	}
	return r, nil
}

func (c *call) watching(m raw, r trace.Request) (trace.Request, error) {
	var q pb.WatchRequest
	err := proto.Unmarshal(m, &q)
	r.Stream = c.stream
	switch {
	case q.GetCreateRequest() != nil:
		create := q.GetCreateRequest()
		r.Kind, r.Key, r.End, r.Nth = trace.Watch, string(create.Key), string(create.RangeEnd), c.asked
		r.PrevKV, r.ProgressNotify = create.PrevKv, create.ProgressNotify
		if create.StartRevision > 0 {
			r.Since = c.since(create.StartRevision - 1)
		}
		c.asked++
	case q.GetCancelRequest() != nil:
		r.Kind, r.Nth = trace.Cancel, slices.Index(c.ids, q.GetCancelRequest().WatchId)
		if r.Nth < 0 || c.cancelled[r.Nth] {
			r.Kind = "" // it never was, or is no more
		} else {
			c.cancelled[r.Nth] = true
		}
	case q.GetProgressRequest() != nil:
		r.Kind = trace.Progress
	}
	return r, err
}

// answer looks at an answer.
func (c *call) answer(m raw) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.method {
	case pb.KV_Range_FullMethodName:
		var a pb.RangeResponse
		c.noted(proto.Unmarshal(m, &a), a.Header)
	case pb.KV_RangeStream_FullMethodName:
		var a pb.RangeStreamResponse
		c.noted(proto.Unmarshal(m, &a), a.RangeResponse.GetHeader())
	case pb.KV_Txn_FullMethodName:
		var a pb.TxnResponse
		c.noted(proto.Unmarshal(m, &a), a.Header)
		if c.index != trace.None {
			c.requests[c.index].Stale = !a.Succeeded
		}
	case pb.Lease_LeaseGrant_FullMethodName:
		var a pb.LeaseGrantResponse
		c.noted(proto.Unmarshal(m, &a), nil)
		if c.index != trace.None {
			c.leases[a.ID] = c.index
		}
	case pb.Watch_Watch_FullMethodName:
		var a pb.WatchResponse
		c.noted(proto.Unmarshal(m, &a), nil)
		if a.Created {
			c.ids = append(c.ids, a.WatchId)
		}
	}
}

func (c *call) noted(err error, header *pb.ResponseHeader) {
	if err != nil {
		c.unknown[c.method+": "+err.Error()]++
	}
	c.saw(c.index, header.GetRevision())
}

// end cancels what a stream of watches leaves behind.
func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for nth := range c.ids {
		if !c.cancelled[nth] {
			c.add(trace.Request{Kind: trace.Cancel, Conn: c.conn, Stream: c.stream, Nth: nth, Since: trace.None, Lease: trace.None})
		}
	}
}

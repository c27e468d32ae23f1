package state

import (
	"errors"
	"sync/atomic"

	"github.com/tidwall/btree"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/packed"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Machine is the state and what changes it. One goroutine owns it.
type Machine struct {
	store
	// events are the changes of the request under way.
	events []Event
	// leaseChanges are those of the slot under way.
	leaseChanges []LeaseChange
	// authChanges are those of the slot under way.
	authChanges []AuthChange
	// compactions are those of the slot under way.
	compactions []Compaction
	// seen holds the nonces of the slots of the current segment.
	seen map[revision.Nonce]struct{}
	// swept is the revision up to which CompactPhysically has freed.
	swept revision.Rev
	// view is what View returned last; nil if the state has changed since.
	view *View
	// generation counts views. What was made in the current generation is in no
	// view yet.
	generation uint64
	// failpoint, if set, is called before each change; tests panic in it.
	failpoint func(*recordpb.Request)
	// request is the one under way, for failpoint.
	request *recordpb.Request
	// compared counts the keys that comparisons of the slot under way looked at.
	compared int
	// work is what the requests of the slot under way did.
	work Work
	// evaluated, if set, hears of each request of a slot once it was evaluated.
	evaluated func(r *recordpb.Request, err error)
	// answer builds what the request under way is answered.
	answer answering
	// maxAnswer is the constant but in tests.
	maxAnswer int64
	// pool packs values; cooling is where it has got to.
	pool    *packed.Pool
	cooling cooling
}

// Applied is what became of a slot.
type Applied struct {
	// Duplicate says that the slot holds a batch that was applied before, in
	// the same segment: nothing was done.
	Duplicate bool
	// Results has one element for each request, in order.
	Results []Result
	// Leases is what happened to leases, in order.
	Leases []LeaseChange
	// Auth is what happened to tokens, in order.
	Auth []AuthChange
	// Compactions are those that took place, in order.
	Compactions []Compaction
	// Compared is how many keys comparisons looked at: a slot can cost that much
	// without a change.
	Compared int
	// Work is what its requests did here.
	Work Work
}

// Work counts what etcd's metrics count, as they do. It is no part of the state:
// what only answers a client is done, and counted, where the client is.
type Work struct {
	// Puts, Deletes and Ranges count operations, also those within transactions; a
	// delete of a range is one.
	Puts, Deletes, Ranges int
	// Compares counts comparisons of transactions.
	Compares int
	// PutBytes is the size of the keys and values that were put.
	PutBytes int
	// Txns counts requests with more than one operation.
	Txns int
	// Expired counts leases that ended because their time was over.
	Expired int
}

// compare counts comparisons, which etcd evaluates in a transaction of their own.
func (w *Work) compare(n int) {
	w.Compares += n
	if n > 1 {
		w.Txns++
	}
}

// operations is how many there were, but for comparisons.
func (w Work) operations() int { return w.Puts + w.Deletes + w.Ranges }

// Result is the answer to a request: Response or Err, or neither if no client
// waits for it.
type Result struct {
	// Response is etcd's message for the request: PutResponse, TxnResponse and
	// so on; LeaseRevokeResponse for an expiry, LeaseCheckpointResponse for a
	// note of the time remaining. Its header has the revision only. The bytes
	// that it points to are shared and must not change.
	Response proto.Message
	// Err is one of this package's.
	Err error
	// Rev is the revision of the state after the request.
	Rev revision.Rev
}

// New is a machine that has applied no slot: at revision 1, without keys.
func New() *Machine {
	m := &Machine{
		store: store{
			rev: 1, compactRev: -1,
			keyspace: newKeyspace(),
			leases:   btree.NewMap[int64, *lease](treeDegree),
			trimmed:  new(atomic.Int64),
		},
		seen:       make(map[revision.Nonce]struct{}),
		swept:      -1,
		generation: 1,

		maxAnswer: maxAnswer,
		pool:      packed.NewPool(warmRoom),
	}
	m.trimmed.Store(int64(m.compactRev))
	return m
}

// Apply evaluates the requests of the slot that comes next in the log. Called
// by the goroutine that owns the machine.
func (m *Machine) Apply(slot revision.Slot) Applied {
	return m.ApplyFor(slot, func(int) bool { return true })
}

// ApplyFor is Apply, and builds answers only for the requests that are wanted.
// The state afterwards, and which requests err, do not depend on wanted.
func (m *Machine) ApplyFor(slot revision.Slot, wanted func(request int) bool) Applied {
	before := m.View()
	m.view = nil
	duplicate := m.enter(slot)
	if duplicate {
		return Applied{Duplicate: true}
	}
	// rollBack keeps the slot's place.
	start := before.store
	start.seq, start.term, start.nonces = m.seq, m.term, m.nonces

	results := make([]Result, len(slot.Requests))
	m.leaseChanges, m.authChanges, m.compactions, m.compared, m.work = nil, nil, nil, 0, Work{}
	for i := 0; i < len(results); {
		m.applied++
		m.answer = answering{wanted: wanted(i), left: m.maxAnswer}
		panicked := errors.Is(results[i].Err, ErrEvaluation) // before rollBack
		if !panicked && !m.try(slot.Requests[i], &results[i]) {
			results[i] = Result{Err: ErrEvaluation}
			m.rollBack(start)
			i = 0
			continue
		}
		results[i].Rev = m.rev
		if m.evaluated != nil {
			m.evaluated(slot.Requests[i], results[i].Err)
		}
		i++
	}
	m.cool()
	return Applied{Results: results, Leases: m.leaseChanges, Auth: m.authChanges, Compactions: m.compactions, Compared: m.compared, Work: m.work}
}

// OnEvaluated has f hear of each request of a slot once it was evaluated, with the
// error that it got; twice, if a later request of its slot panicked. It is called by
// the goroutine that owns the machine, and must not touch it.
func (m *Machine) OnEvaluated(f func(r *recordpb.Request, err error)) { m.evaluated = f }

// enter moves to the slot's place. It says whether the slot's batch was applied
// before.
func (m *Machine) enter(slot revision.Slot) (duplicate bool) {
	if slot.Seq.Segment != m.seq.Segment {
		clear(m.seen)
		m.nonces = 0
	}
	m.seq = slot.Seq
	m.term = max(m.term, slot.Term)
	if _, duplicate = m.seen[slot.Nonce]; !duplicate {
		m.seen[slot.Nonce] = struct{}{}
		m.nonces += nonceSum(slot.Nonce)
	}
	return duplicate
}

// rollBack goes back to where the slot began. The requests before the one that
// panicked are then applied again, with the same results.
func (m *Machine) rollBack(start store) {
	m.store = start.copy()
	m.events = m.events[:0]
	m.leaseChanges, m.authChanges, m.compactions, m.work = nil, nil, nil, Work{}
}

// try evaluates a request. It returns false if that panicked: then the state is
// undefined until rollBack.
func (m *Machine) try(r *recordpb.Request, result *Result) (ok bool) {
	defer func() {
		if !ok {
			recover() //nolint:errcheck // the panic's value is no part of the state
		}
	}()
	m.request = r
	before := m.work.operations()
	result.Response, result.Err = m.evaluate(r)
	m.commit()
	if m.work.operations() > before+1 {
		m.work.Txns++
	}
	switch {
	case result.Err != nil:
	case !m.answer.wanted:
		result.Response = nil
	case m.answer.err != nil:
		result.Response, result.Err = nil, m.answer.err
	}
	return true
}

// commit ends a request: if it changed keys, they make a revision.
func (m *Machine) commit() {
	if m.changes == 0 {
		return
	}
	m.history.record(m.events)
	m.rev++
	m.changes = 0
	clear(m.events)
	m.events = m.events[:0]
}

// changed numbers a change of the request under way, just before it is made.
func (m *Machine) changed(v *version) {
	if m.failpoint != nil {
		m.failpoint(m.request)
	}
	v.sub = int32(m.changes)
	m.changes++
	m.events = append(m.events, Event{v})
	m.pool.Add(&v.kv)
	m.cooling.credit += coolStep * weight(v)
}

// header is one with the revision after what the request has done so far.
func (m *Machine) header() *pb.ResponseHeader {
	return &pb.ResponseHeader{Revision: int64(m.current())}
}

// View is the state as it is between slots. It takes constant time. Called by
// the goroutine that owns the machine; the view may go anywhere.
func (m *Machine) View() *View {
	if m.view == nil {
		m.view = &View{store: m.copy()}
		m.generation++
	}
	return m.view
}

package trace

import "time"

// Kind is what a request asks for.
type Kind string

// The kinds of requests. A transaction is one of kube-apiserver's: a comparison of one key, then one operation.
const (
	Range    Kind = "range"    // one key, or all up to End; a count, if Count
	Stream   Kind = "stream"   // the same by RangeStream
	Create   Kind = "create"   // put if the key is not there
	Update   Kind = "update"   // put if the key is unchanged, or else get
	Delete   Kind = "delete"   // delete if the key is unchanged, or else get
	Watch    Kind = "watch"    // create a watch in a stream
	Cancel   Kind = "cancel"   // cancel a watch of a stream
	Progress Kind = "progress" // ask a stream how far it has got
	Grant    Kind = "grant"    // a lease
	Compact  Kind = "compact"
	Status   Kind = "status"
	// Phase is no request: what follows belongs to the phase that Key names.
	Phase Kind = "phase"
)

// None stands for no request where another one is referred to.
const None = -1

// Request is one request of a recording, in the order in which they were made.
type Request struct {
	Kind Kind
	// At is when it was made, since the recording began.
	At time.Duration
	// Conn is the connection, from 0.
	Conn int
	// Key is the only key, or the first of a range up to End, which is not part of it; "" is no end.
	Key, End string
	// Size is how many bytes the value of a put had.
	Size int
	// Limit is of a range.
	Limit int
	// Count asks for the count of keys alone, and KeysOnly for no values.
	Count, KeysOnly bool
	// Serializable lets a read be of the past.
	Serializable bool
	// Stale says that a comparison did not hold, since another one had changed the key.
	Stale bool
	// ByVersion says that a comparison was of the key's version, not of its modification.
	ByVersion bool
	// Since is the index of the request whose answer had the revision that this one names: of a read of the past, a
	// compaction, or what a watch begins after. None stands for the newest.
	Since int
	// Lease is the index of the grant whose lease a put is on; None stands for no lease.
	Lease int
	// TTL is a grant's, in seconds.
	TTL int64
	// Stream is which stream of watches this is about, from 0 over all connections, and Nth which of its watches.
	Stream, Nth int
	// PrevKV and ProgressNotify are options of a watch.
	PrevKV, ProgressNotify bool
}

// Write says whether a request changes a key, unless it is stale.
func (r Request) Write() bool { return r.Kind == Create || r.Kind == Update || r.Kind == Delete }

// Trace is a recording.
type Trace struct {
	// About says what was recorded, on one line.
	About    string
	Requests []Request
}

// Counts are how many requests of each kind a phase has.
func (t *Trace) Counts() (phases []string, counts map[string]map[Kind]int) {
	counts = make(map[string]map[Kind]int)
	phase := ""
	for _, r := range t.Requests {
		if r.Kind == Phase {
			phase = r.Key
			phases = append(phases, phase)
			counts[phase] = make(map[Kind]int)
			continue
		}
		if counts[phase] == nil {
			phases, counts[phase] = append(phases, phase), make(map[Kind]int)
		}
		counts[phase][r.Kind]++
	}
	return phases, counts
}

// Duration is how long the recording took.
func (t *Trace) Duration() time.Duration {
	if len(t.Requests) == 0 {
		return 0
	}
	return t.Requests[len(t.Requests)-1].At
}

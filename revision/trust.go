package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// <root>/trust says whether the root may be served. A zkine that finds that the
// log went back stops, but whoever supervises it starts it again, and the next
// incarnation may remember nothing. So it leaves a halt there first. Every zkine
// that sees one stops, and none starts, until a person has decided; that takes
// the halt away and leaves a number that grows with each decision. What zkines
// remember (served.go) carries the number that they knew: a higher one in the
// root means that a person decided since, and that the memory does not count any
// more. Should the root go back once more after that, it does.
//
// One znode holds both, so that each step is one setData on the version that was
// read: a halt that comes after a decision is seen to, and is not written.
// Releases that do not know the znode leave it alone.

// trustRecord is the data of <root>/trust. Without the znode, both are nil.
type trustRecord struct {
	Halt     *Halt     `json:"halt,omitempty"`
	Accepted *Accepted `json:"accepted,omitempty"`
}

// Halt is what a zkine wrote that found that the log went back.
type Halt struct {
	// By is its member name, Host its machine's.
	By   string    `json:"by"`
	Host string    `json:"host"`
	At   time.Time `json:"at"`
	// Revision is the last one that it had applied, and Segment and Slot the
	// place of the last slot that it had seen.
	Revision Rev    `json:"revision"`
	Segment  string `json:"segment,omitempty"`
	Slot     int64  `json:"slot"`
	// Accepted is the number of the latest decision that it knew.
	Accepted int64 `json:"accepted,omitempty"`
	// Found is what gave it away.
	Found string `json:"found"`
}

// Accepted is a person's decision that what the root holds is to be served.
// What else may have to be done then, such as raising the revision, will have
// fields of its own here: unknown ones are ignored.
type Accepted struct {
	// Number grows with each decision. It is a time in milliseconds, so that it
	// is above all that any zkine may remember, even if the record of an earlier
	// decision went with what was lost.
	Number int64     `json:"number"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	// Halt is what was decided about; nil if nothing was halted.
	Halt *Halt `json:"halt,omitempty"`
}

func (r trustRecord) number() int64 {
	if r.Accepted == nil {
		return 0
	}
	return r.Accepted.Number
}

// maxFound bounds what a halt tells, in bytes.
const maxFound = 1 << 10

// absent is the version of a znode that is not there.
const absent = -1

// readTrust reads the record and the version of its znode, or absent.
func readTrust(ctx context.Context, conn Conn, l layout) (r trustRecord, version int64, err error) {
	data, stat, err := conn.Get(ctx, l.trust())
	if errors.Is(err, zk.ErrNoNode) {
		return trustRecord{}, absent, nil
	}
	if err != nil {
		return trustRecord{}, absent, fmt.Errorf("read %s: %w", l.trust(), err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return trustRecord{}, int64(stat.Version), fmt.Errorf("%w: %s is not a record of zkine's; if the root may be served, zkine log accept writes it anew",
			ErrCorrupt, l.trust())
	}
	return r, int64(stat.Version), nil
}

// writeTrust replaces the record that was read at a version. It checks that the
// root is a zkine's in the same breath.
func writeTrust(ctx context.Context, conn Conn, l layout, r trustRecord, version int64) error {
	write := any(setOp(l.trust(), mustJSON(r), version))
	if version == absent {
		write = createOp(l.trust(), mustJSON(r))
	}
	_, err := conn.Multi(ctx, checkOp(l.format(), anyVersion), write)
	return err
}

// mayServe returns ErrHalted if the root is halted, and else notes which
// decision is the latest. The connection must have been shown to recognise the
// log.
func (l *Log) mayServe(ctx context.Context, conn Conn) error {
	r, _, err := readTrust(ctx, conn, l.layout)
	if err != nil {
		return err
	}
	if h := r.Halt; h != nil {
		return fmt.Errorf("%w: %s on %s, which had served revision %d, found at %s: %s; see docs/operations.md, \"The log went back\"",
			ErrHalted, h.By, h.Host, h.Revision, h.At.UTC().Format(time.RFC3339), h.Found)
	}
	l.noteAccepted(r.number())
	return nil
}

func (l *Log) noteAccepted(number int64) {
	for {
		known := l.accepted.Load()
		if number <= known || l.accepted.CompareAndSwap(known, number) {
			return
		}
	}
}

// unlessAccepted adds to the finding that the log went back that a person has
// decided since: then it is not to be halted for that again.
func (l *Log) unlessAccepted(ctx context.Context, conn Conn, lost error) error {
	if id, err := readFormat(ctx, conn, l.layout); err != nil || id != l.clusterID {
		return lost
	}
	r, _, err := readTrust(ctx, conn, l.layout)
	if err != nil || r.Halt != nil || r.number() <= l.accepted.Load() {
		return lost
	}
	return fmt.Errorf("%w: %w; start again to serve it", ErrAccepted, lost)
}

// haltTimeout bounds the attempt to leave a halt.
const haltTimeout = 5 * time.Second

// haltOthers waits until the log has failed, and leaves a halt in the root if it
// went back.
func (l *Log) haltOthers() {
	<-l.session.failures()
	why := l.session.failure()
	if !errors.Is(why, ErrLogLost) || errors.Is(why, ErrAccepted) {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), haltTimeout, errors.New("it took too long"))
	defer cancel()
	left, err := l.leaveHalt(ctx, why)
	switch {
	case err != nil:
		l.cfg.Log.WithError(err).Warnf("%s could not be written: other zkines, and those that start without what this one remembers, may serve what the root holds now", l.layout.trust())
	case left:
		l.cfg.Log.Errorf("the root is halted by %s: no zkine serves it until a person decides, with zkine log accept", l.layout.trust())
	}
}

// leaveHalt tries on new connections until it is done or ctx ends. left is false
// if nothing was to be written: the root is gone, or another cluster's, or a
// person has decided meanwhile.
func (l *Log) leaveHalt(ctx context.Context, why error) (left bool, err error) {
	for {
		left, err = l.leaveHaltOnce(ctx, why)
		if err == nil || final(err) || ctx.Err() != nil {
			return left, err
		}
		select {
		case <-time.After(redialMin):
		case <-ctx.Done():
			return false, err
		}
	}
}

func (l *Log) leaveHaltOnce(ctx context.Context, why error) (left bool, err error) {
	conn, err := l.cfg.Dialer.Dial(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = barrier(ctx, conn, l.layout)
	if err == nil {
		var id uint64
		if id, err = readFormat(ctx, conn, l.layout); err == nil && id != l.clusterID {
			return false, nil
		}
	}
	if errors.Is(err, zk.ErrNoNode) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, version, err := readTrust(ctx, conn, l.layout)
	switch {
	case err != nil:
		return false, err
	case r.Halt != nil:
		return true, nil
	case r.number() > l.accepted.Load():
		return false, nil
	}
	r.Halt = l.newHalt(why)
	return true, writeTrust(ctx, conn, l.layout, r, version)
}

func (l *Log) newHalt(why error) *Halt {
	served := l.Served()
	found, _, _ := strings.Cut(strings.TrimPrefix(why.Error(), ErrLogLost.Error()+": "), "; ")
	host, _ := os.Hostname()
	return &Halt{By: l.cfg.Name, Host: host, At: time.Now().UTC(), Revision: served.Revision,
		Segment: served.Segment, Slot: served.Slot, Accepted: served.Accepted, Found: found[:min(len(found), maxFound)]}
}

// Distrust ends the log because its caller has found, by the state that it makes,
// that it went back.
func (l *Log) Distrust(err error) { l.session.fail(err) }

package zkroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// <root>/trust says whether the root may be served. A zkine that finds that the
// log went back stops, but its supervisor starts it again, and the next
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

// TrustRecord is the data of <root>/trust. Without the znode, both are nil.
type TrustRecord struct {
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
	Revision revision.Rev `json:"revision"`
	Segment  string       `json:"segment,omitempty"`
	Slot     int64        `json:"slot"`
	// Accepted is the number of the latest decision that it knew.
	Accepted int64 `json:"accepted,omitempty"`
	// Found is what gave it away.
	Found string `json:"found"`
}

// Accepted is a person's decision that what the root holds is to be served.
// What else may have to be done then will have fields of its own here: unknown ones
// are ignored.
type Accepted struct {
	// Number grows with each decision. It is a time in milliseconds, so that it
	// is above all that any zkine may remember, even if the record of an earlier
	// decision went with what was lost.
	Number int64     `json:"number"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	// Halt is what was decided about; nil if nothing was halted.
	Halt *Halt `json:"halt,omitempty"`
	// RaisedTo is the revision from which it counts on; 0 if it was not raised.
	RaisedTo revision.Rev `json:"raised_to,omitempty"`
}

// Number is that of the latest decision; 0 if there was none.
func (r TrustRecord) Number() int64 {
	if r.Accepted == nil {
		return 0
	}
	return r.Accepted.Number
}

// MaxFound bounds what a halt tells, in bytes.
const MaxFound = 1 << 10

// absent is the version of a znode that is not there.
const absent = -1

// Trust reads the record and the version of its znode, or absent.
func (r Reader) Trust(ctx context.Context) (record TrustRecord, version int64, err error) {
	path := r.layout.Trust()
	data, stat, err := r.conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return TrustRecord{}, absent, nil
	}
	if err != nil {
		return TrustRecord{}, absent, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return TrustRecord{}, int64(stat.Version), fmt.Errorf("%w: %s is not a record of zkine's; if the root may be served, zkine log accept writes it again",
			revision.ErrCorrupt, path)
	}
	return record, int64(stat.Version), nil
}

// WriteTrust replaces the record that was read at a version. It checks that the
// root is a zkine's in the same breath, and does what else is given.
func WriteTrust(ctx context.Context, conn Nodes, l Layout, r TrustRecord, version int64, and ...any) error {
	write := any(zkclient.SetOp(l.Trust(), MustJSON(r), version))
	if version == absent {
		write = zkclient.CreateOp(l.Trust(), MustJSON(r))
	}
	_, err := conn.Multi(ctx, append([]any{zkclient.CheckOp(l.Format(), zkclient.AnyVersion), write}, and...)...)
	return err
}

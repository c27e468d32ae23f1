package zklog

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Append implements backend.Log.
//
// One append is one multi: check that the segment is open, count the slot in
// the segment's dataVersion, create the sequential znode. ZooKeeper orders the
// writers, so none conflicts. When the outcome of a sending is unknown, the
// identical multi goes out again on the next connection, into the same
// segment, where apply skips the second of two equal nonces. Only if that
// segment was sealed since is the question open, and it is decided by
// reading: once every slot of the sealed segment was delivered without the
// nonce, the batch is not there and never will be, since a late multi fails
// its check.
func (l *Log) Append(ctx context.Context, batch *revision.Batch) (revision.Appended, error) {
	return l.appends.append(ctx, batch)
}

// appender is the part of a Log behind Append.
type appender struct {
	*link
	rotation   *rotation
	refusal    *refusal
	compressor zkroot.Compressor
}

func (p *appender) append(ctx context.Context, batch *revision.Batch) (revision.Appended, error) {
	if err := p.refusal.admit(); err != nil {
		return revision.Appended{}, err
	}
	a, err := p.prepare(batch)
	if err != nil {
		return revision.Appended{}, err
	}
	defer p.tail.forget(batch.Nonce)
	defer p.tail.announce()
	return a.run(ctx)
}

// prepare encodes a batch, and waits for its nonce until the tail is to forget it.
func (p *appender) prepare(batch *revision.Batch) (*appending, error) {
	term := p.epoch.term()
	env, err := zkroot.EncodeBatch(batch, term, &p.compressor)
	if err != nil {
		return nil, err
	}
	return &appending{appender: p, batch: batch, term: term, env: env, wait: p.tail.await(batch.Nonce)}, nil
}

// run sends until the outcome is certain, or ctx ends.
func (a *appending) run(ctx context.Context) (revision.Appended, error) {
	for {
		out, err := a.try(ctx)
		switch {
		case err == nil:
			return out, nil
		case !errors.Is(err, errAgain):
			return out, a.giveUp(err)
		}
	}
}

// appending is an append under way.
type appending struct {
	*appender
	batch *revision.Batch
	term  uint64
	env   *zkroot.Envelope
	wait  *waiter

	// resent is set once a sending had an unknown outcome.
	resent bool
	// unsure is the segment that may hold the batch, from a sending whose
	// outcome is unknown; its number is 0 if there is none.
	unsure zkroot.SegmentRef
	// parts says where and how large the staged parts are.
	parts stagedParts
	// lost counts connections in a row that ended on this batch.
	lost int
	// hopeless is set when even the smallest parts lose the connection.
	hopeless bool
}

func (a *appending) try(ctx context.Context) (revision.Appended, error) {
	conn, err := a.session.Get(ctx)
	if err != nil {
		return revision.Appended{}, err
	}
	segment, _ := a.tail.head()
	if a.unsure.Number != 0 && a.unsure.Number < segment.Number {
		return a.resolve(ctx)
	}
	if seq, found := a.found(); found {
		return revision.Appended{Seq: seq, Resent: true}, nil
	}
	if a.hopeless && a.unsure.Number == 0 {
		return revision.Appended{}, fmt.Errorf("%w: connections end on %d bytes; compare --max-zookeeper-request with the servers' jute.maxbuffer",
			revision.ErrTooLarge, len(a.env.Stored()))
	}
	ops, err := a.ops(ctx, conn, segment, a.request.limit())
	if err != nil {
		return revision.Appended{}, err
	}
	opCtx, cancel := a.session.Bound(ctx)
	defer cancel()
	results, err := conn.Multi(opCtx, ops...)
	if err != nil {
		return revision.Appended{}, a.failed(ctx, conn, segment, results, err)
	}
	return a.landed(segment, results)
}

// ops builds the multi. A batch that is too large for one is staged first.
func (a *appending) ops(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, limit int) ([]any, error) {
	ops := []any{zkclient.CheckOp(a.layout.Log(), segment.Number)}
	create := zkclient.CreateOp(a.layout.SlotPrefix(segment.Name), nil)
	create.Flags = zk.FlagSequence
	if zkroot.EnvelopeHead+len(a.env.Stored()) > limit {
		if err := a.stage(ctx, conn, segment, limit); err != nil {
			return nil, err
		}
		for i := range a.parts.count {
			ops = append(ops, zkclient.CheckOp(a.layout.Part(segment.Name, a.batch.Nonce, i), zkclient.AnyVersion))
		}
		create.Data = a.env.StagedBytes(a.parts.count)
	} else {
		create.Data = a.env.Bytes()
	}
	record := zkroot.SegmentRecord{LastWriter: a.cfg.Name, Revision: revision.Rev(a.applied.Load())}
	if a.company.Load() && len(create.Data) <= min(zkroot.MaxCarried, limit/4) {
		record.NewestSlot = create.Data
	}
	return append(ops, zkclient.SetOp(a.layout.Segment(segment.Name), zkroot.MustJSON(record), zkclient.AnyVersion), create), nil
}

// landed hands the slot to the tail. Whatever is wrong with it, the batch is in
// the log.
func (a *appending) landed(segment zkroot.SegmentRef, results []zk.MultiResponse) (revision.Appended, error) {
	a.refusal.passedWrite(a.cfg.Log)
	a.unsure = segment
	n := len(results)
	slot, err := zkroot.SlotNumber(results[n-1].String)
	if err != nil {
		a.session.Fail(err)
		return revision.Appended{}, err
	}
	a.epoch.note(results[n-2].Stat.Mzxid)
	seq := revision.Seq{Segment: segment.Number, Slot: slot}
	e := &zkroot.StoredSlot{Segment: segment, Size: zkroot.EnvelopeHead,
		Slot: a.batch.At(seq, a.term)}
	if a.parts.count > 0 {
		e.Staged = len(a.env.Stored())
	} else {
		e.Size += len(a.env.Stored())
	}
	switch a.tail.appended(e) {
	case landedUnseen:
		return revision.Appended{}, errors.New("it lies in a part of the log that this zkine has skipped")
	case landedBefore:
		err := fmt.Errorf("%w: an append landed at %v, which was read before with other content; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, seq)
		a.session.Fail(err)
		return revision.Appended{}, err
	}
	a.rotation.consider(segment)
	return revision.Appended{Seq: seq, Resent: a.resent}, nil
}

// failed sorts out a multi that did not succeed.
func (a *appending) failed(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, results []zk.MultiResponse, err error) error {
	op, _ := zkclient.FailedOp(results)
	switch {
	case errors.Is(err, zk.ErrBadVersion) && op == 0:
		// The segment was sealed. This sending had no effect, and a.unsure
		// still tells of an earlier one.
		return a.refreshed(ctx, conn)
	case errors.Is(err, zk.ErrShortBuffer):
		return fmt.Errorf("%w: %w", revision.ErrTooLarge, err)
	}
	if ctx.Err() == nil { // else err may be the caller's reason to end
		if again := a.serverAnswered(ctx, conn, segment, err); again != nil {
			return again
		}
	}
	a.unsure, a.resent = segment, true
	a.connectionLost(ctx, conn, segment)
	return errAgain
}

// serverAnswered deals with an error by which a server answers, or the client before
// it sends anything: it returns errAgain, or the error if the append ends; nil
// if the connection was lost instead.
func (a *appending) serverAnswered(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, err error) error {
	code := zkclient.CodeOf(err)
	switch {
	case revision.Fatal(err):
		a.session.Fail(err)
		return err
	case code == nil && !zkclient.Definite(err):
		return nil
	case code == nil || code.Does == zkclient.Expected:
		// A znode is missing that must be there. The verification of the next
		// connection finds out.
		a.parts = stagedParts{}
		a.session.Retire(conn)
		return errAgain
	}
	if !code.Definite {
		a.unsure, a.resent = segment, true
	}
	if code.Does == zkclient.Refuse {
		a.refusal.refusedWrite(a.cfg.Log, err)
		return err
	}
	a.answered(ctx, conn, code, err)
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w (%w)", revision.ErrUnavailable, err, context.Cause(ctx))
	}
	return errAgain
}

// connectionLost counts connections that end on a large request: a server whose
// jute.maxbuffer is smaller than configured closes without a word.
func (a *appending) connectionLost(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef) {
	a.session.Retire(conn)
	a.lost++
	if a.lost < 3 || ctx.Err() != nil || len(a.env.Stored()) <= zkroot.MinRequest-zkroot.RequestOverhead {
		return // a batch that small is not what they end on
	}
	a.lost = 0
	if !a.request.shrink(a.cfg.Log) {
		a.hopeless = true
	}
	// Only a sealed segment can be shown not to hold the batch.
	a.rotation.seal(ctx, segment) //nolint:errcheck // the next try sees what became of it
}

// resolve decides whether the batch is in a segment that was sealed after a
// sending with unknown outcome.
func (a *appending) resolve(ctx context.Context) (revision.Appended, error) {
	for {
		passed, changed := a.tail.passed(a.unsure.Number)
		if seq, found := a.found(); found {
			return revision.Appended{Seq: seq, Resent: true}, nil
		}
		if a.tail.isSkipped(a.wait) {
			return revision.Appended{}, errors.New("it may lie in a part of the log that this zkine has skipped")
		}
		if passed {
			a.unsure = zkroot.SegmentRef{}
			return revision.Appended{}, errAgain
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return revision.Appended{}, context.Cause(ctx)
		}
		if err := a.session.Failure(); err != nil {
			return revision.Appended{}, err
		}
	}
}

func (a *appending) found() (revision.Seq, bool) {
	select {
	case <-a.wait.found:
		return a.wait.seq, true
	default:
		return revision.Seq{}, false
	}
}

// giveUp words the end of an append without success: whatever ended it, an
// earlier sending may have had its effect.
func (a *appending) giveUp(err error) error {
	if a.unsure.Number != 0 {
		return fmt.Errorf("%w: %w", revision.ErrUnknown, err)
	}
	return err
}

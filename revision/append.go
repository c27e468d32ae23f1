package revision

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// Append implements backend.Log.
//
// One append is one multi: check that the segment is open, count the slot in
// the segment's dataVersion, create the sequential znode. ZooKeeper orders the
// writers; nobody conflicts. When the outcome of a sending is unknown, the
// identical multi goes out again on the next connection, into the same
// segment, where apply skips the second of two equal nonces. Only if that
// segment was sealed meanwhile is the question open, and it is decided by
// reading: once every slot of the sealed segment was delivered without the
// nonce, the batch is not there and never will be, since a late multi fails
// its check.
func (l *Log) Append(ctx context.Context, batch *Batch) (Appended, error) {
	return l.appends.append(ctx, batch)
}

// appender is the part of a Log behind Append.
type appender struct {
	*link
	rotation   *rotation
	refusal    *refusal
	compressor compressor
}

func (p *appender) append(ctx context.Context, batch *Batch) (Appended, error) {
	if err := p.refusal.admit(); err != nil {
		return Appended{}, err
	}
	env, err := seal(batch, p.epoch.term(), &p.compressor)
	if err != nil {
		return Appended{}, err
	}
	a := &appending{appender: p, batch: batch, env: env, await: p.tail.await(batch.Nonce)}
	defer p.tail.forget(batch.Nonce)
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
	batch *Batch
	env   *envelope
	await *awaited

	// resent is set once a sending had an unknown outcome.
	resent bool
	// unsure is the segment that may hold the batch, from a sending whose
	// outcome is unknown; its number is 0 if there is none.
	unsure segmentRef
	// parts says where and how large the staged parts are.
	parts stagedParts
	// lost counts connections in a row that ended on this batch.
	lost int
	// hopeless is set when even the smallest parts lose the connection.
	hopeless bool
}

func (a *appending) try(ctx context.Context) (Appended, error) {
	conn, err := a.session.get(ctx)
	if err != nil {
		return Appended{}, err
	}
	segment, _ := a.tail.head()
	if a.unsure.number != 0 && a.unsure.number < segment.number {
		return a.resolve(ctx)
	}
	if seq, found := a.found(); found {
		return Appended{Seq: seq, Resent: true}, nil
	}
	if a.hopeless && a.unsure.number == 0 {
		return Appended{}, fmt.Errorf("%w: connections end on %d bytes; compare --max-zookeeper-request with the servers' jute.maxbuffer",
			ErrTooLarge, a.env.length)
	}
	ops, err := a.ops(ctx, conn, segment)
	if err != nil {
		return Appended{}, err
	}
	opCtx, cancel := a.opContext(ctx)
	defer cancel()
	results, err := conn.Multi(opCtx, ops...)
	if err != nil {
		return Appended{}, a.failed(ctx, conn, segment, results, err)
	}
	return a.landed(segment, results)
}

// ops builds the multi. A batch that is too large for one is staged first.
func (a *appending) ops(ctx context.Context, conn Conn, segment segmentRef) ([]any, error) {
	ops := []any{checkOp(a.layout.log(), segment.number)}
	data := a.env
	if limit := a.request.limit(); envelopeHead+len(a.env.payload) > limit {
		if err := a.stage(ctx, conn, segment, limit); err != nil {
			return nil, err
		}
		for i := range a.parts.count {
			ops = append(ops, checkOp(a.layout.part(segment.name, a.env.nonce, i), anyVersion))
		}
		staged := *a.env
		staged.flags |= flagStaged
		staged.parts = uint32(a.parts.count)
		data = &staged
	}
	create := createOp(a.layout.slotPrefix(segment.name), nil)
	create.Flags = zk.FlagSequence
	if create.Data = data.head(); !data.staged() {
		create.Data = append(create.Data, data.payload...)
	}
	record := mustJSON(segmentRecord{LastWriter: a.cfg.Name, Revision: Rev(a.applied.Load())})
	return append(ops, setOp(a.layout.segment(segment.name), record, anyVersion), create), nil
}

// landed hands the slot to the tail. Whatever is wrong with it, the batch is in
// the log.
func (a *appending) landed(segment segmentRef, results []zk.MultiResponse) (Appended, error) {
	a.refusal.passedWrite(a.cfg.Log)
	a.unsure = segment
	n := len(results)
	slot, err := slotNumber(results[n-1].String)
	if err != nil {
		a.session.fail(err)
		return Appended{}, err
	}
	a.epoch.note(results[n-2].Stat.Mzxid)
	seq := Seq{segment.number, slot}
	e := &entry{segment: segment, size: envelopeHead,
		slot: Slot{Seq: seq, Nonce: a.batch.Nonce, Term: a.env.term, Requests: a.batch.Requests}}
	if a.parts.count > 0 {
		e.staged = len(a.env.payload)
	} else {
		e.size += len(a.env.payload)
	}
	switch a.tail.appended(e) {
	case landedUnseen:
		return Appended{}, errors.New("it lies in a part of the log that this zkine has skipped")
	case landedBefore:
		err := fmt.Errorf("%w: an append landed at %v, which was read before with other content; see docs/operations.md, \"The log went back\"",
			ErrLogLost, seq)
		a.session.fail(err)
		return Appended{}, err
	}
	a.rotation.consider(segment)
	return Appended{Seq: seq, Resent: a.resent}, nil
}

// failed sorts out a multi that did not succeed.
func (a *appending) failed(ctx context.Context, conn Conn, segment segmentRef, results []zk.MultiResponse, err error) error {
	op, _ := failedOp(results)
	switch {
	case errors.Is(err, zk.ErrBadVersion) && op == 0:
		// The segment was sealed. This sending had no effect, and a.unsure
		// still tells of an earlier one.
		return a.refreshed(ctx, conn)
	case errors.Is(err, zk.ErrShortBuffer):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
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
func (a *appending) serverAnswered(ctx context.Context, conn Conn, segment segmentRef, err error) error {
	code := codeOf(err)
	switch {
	case final(err):
		a.session.fail(err)
		return err
	case code == nil && !Definite(err):
		return nil
	case code == nil || code.does == expected:
		// A znode is missing that must be there. The greeting of the next
		// connection finds out.
		a.parts = stagedParts{}
		a.session.retire(conn)
		return errAgain
	}
	if !code.definite {
		a.unsure, a.resent = segment, true
	}
	if code.does == refuse {
		a.refusal.refusedWrite(a.cfg.Log, err)
		return err
	}
	a.answered(ctx, conn, code, err)
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w (%w)", ErrUnavailable, err, context.Cause(ctx))
	}
	return errAgain
}

// connectionLost counts connections that end on a large request: a server whose
// jute.maxbuffer is smaller than configured closes without a word.
func (a *appending) connectionLost(ctx context.Context, conn Conn, segment segmentRef) {
	a.session.retire(conn)
	a.lost++
	if a.lost < 3 || ctx.Err() != nil || len(a.env.payload) <= minRequest-requestOverhead {
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
func (a *appending) resolve(ctx context.Context) (Appended, error) {
	for {
		passed, changed := a.tail.passed(a.unsure.number)
		if seq, found := a.found(); found {
			return Appended{Seq: seq, Resent: true}, nil
		}
		if a.tail.isSkipped(a.await) {
			return Appended{}, errors.New("it may lie in a part of the log that this zkine has skipped")
		}
		if passed {
			a.unsure = segmentRef{}
			return Appended{}, errAgain
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Appended{}, context.Cause(ctx)
		}
		if err := a.session.failure(); err != nil {
			return Appended{}, err
		}
	}
}

func (a *appending) found() (Seq, bool) {
	select {
	case <-a.await.found:
		return a.await.seq, true
	default:
		return Seq{}, false
	}
}

// giveUp words the end of an append without success: whatever ended it, an
// earlier sending may have had its effect.
func (a *appending) giveUp(err error) error {
	if a.unsure.number != 0 {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

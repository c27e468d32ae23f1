package mirror

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Writer is what a Root needs of the log to write. *zklog.Log satisfies it.
type Writer interface {
	Log
	// Append places a batch in the log; see backend.Appender.
	Append(ctx context.Context, batch *revision.Batch) (revision.Appended, error)
	// Members lists the zkines that run on the root.
	Members(ctx context.Context) ([]revision.Member, error)
	Store
}

// Alone is a Root to which nothing else writes.
type Alone struct {
	*Root
	log Writer
}

// LoadAlone is Load of a root that is to be written. ErrOthers: a zkine runs on it.
func LoadAlone(ctx context.Context, log Writer) (*Alone, error) {
	a := &Alone{log: log}
	if err := a.vacant(ctx); err != nil {
		return nil, err
	}
	r, err := Load(ctx, log)
	if err != nil {
		return nil, err
	}
	a.Root, r.alone, r.ended = r, true, nil
	return a, nil
}

// Look is an error if another program has come to the root: ErrOthers.
func (a *Alone) Look(ctx context.Context) error {
	if err := a.vacant(ctx); err != nil {
		return err
	}
	return a.CatchUp(ctx)
}

func (a *Alone) vacant(ctx context.Context) error {
	members, err := a.log.Members(ctx)
	if err == nil && len(members) > 0 {
		err = fmt.Errorf("%w: zkine %q runs on it", ErrOthers, members[0].Name)
	}
	return err
}

// Append makes changes, all in one slot: all of them or, after an error, none, if it is
// not revision.ErrUnknown. Errors: those of the log; ErrOthers, ErrRefused, with which the
// root is to be given up.
func (a *Alone) Append(ctx context.Context, requests []*recordpb.Request) error {
	a.sign(requests)
	nonce := revision.DrawNonce(a.random)
	a.own[nonce] = true
	if _, err := a.log.Append(ctx, &revision.Batch{Nonce: nonce, Requests: requests}); err != nil {
		return fmt.Errorf("append to the log: %w", err)
	}
	for {
		switch applied, err := a.next(ctx); {
		case err != nil:
			return err
		case applied == nonce:
			return a.housekeep(ctx)
		}
	}
}

// sign has the requests pass where users count.
func (a *Alone) sign(requests []*recordpb.Request) {
	v := a.View()
	if !v.AuthEnabled() {
		return
	}
	for _, r := range requests {
		r.Header = rootHeader(v.AuthRevision())
	}
}

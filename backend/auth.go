package backend

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision/recordpb"
)

// AuthConfig says how clients prove who they are. It matters only while
// authentication is enabled, which is a part of the state.
type AuthConfig struct {
	// Credentials finds what a client shows of itself in the context of its
	// call; nil if nothing can be found.
	Credentials func(context.Context) Credentials
	// JWT makes and reads tokens; nil is for simple ones, which last for
	// TokenTTL after their last use. 0 is token.DefaultTTL.
	JWT      *token.JWT
	TokenTTL time.Duration
	// BcryptCost is how hard a password is to guess from its hash; 0 is
	// bcrypt's default.
	BcryptCost int
}

// Credentials are what a client shows of itself.
type Credentials struct {
	// Token is what it got when it logged in; HasToken is false if it shows
	// none, which is not the same as one that is empty.
	Token    string
	HasToken bool
	// CommonName is that of its certificate, if it was verified and may stand
	// for a user; else "". It counts only without a token.
	CommonName string
}

// authenticator knows who a token stands for.
type authenticator struct {
	cfg    AuthConfig
	simple *token.Simple
}

func newAuthenticator(cfg AuthConfig) *authenticator {
	if cfg.Credentials == nil {
		cfg.Credentials = func(context.Context) Credentials { return Credentials{} }
	}
	return &authenticator{cfg: cfg, simple: token.NewSimple(cfg.TokenTTL)}
}

// applied takes over what a slot did to tokens. It is called before the view of
// that slot is published: a view that is as new as a token finds it known.
// Those granted before this zkine began to serve are not taken over: nobody
// knows how long ago that was.
func (a *authenticator) applied(changes []state.AuthChange, live bool) {
	for _, c := range changes {
		switch {
		case c.Kind == state.UserInvalidated:
			a.simple.Invalidate(c.User)
		case c.Kind == state.AuthDisabled:
			a.simple.Clear()
		case live:
			a.simple.Grant(c.Token, c.User)
		}
	}
}

// identify says who makes a call, as of the newest view, which it returns too.
// named is false for a caller without credentials, and while authentication is
// disabled. Errors: ErrInvalidAuthToken; those of waiting for a token that this
// zkine may not know yet.
func (b *Backend) identify(ctx context.Context) (v *state.View, who state.Requester, named bool, err error) {
	c := b.auth.cfg.Credentials(ctx)
	if v, err = b.viewFor(ctx, c); err != nil || !v.AuthEnabled() {
		return v, who, false, err
	}
	switch {
	case c.HasToken && b.auth.cfg.JWT != nil:
		who.User, who.AuthRevision, err = b.auth.cfg.JWT.Verify(c.Token)
		if err != nil {
			return v, who, false, fmt.Errorf("%w: %w", ErrInvalidAuthToken, err)
		}
	case c.HasToken:
		user, known := b.auth.simple.User(c.Token)
		if !known {
			return v, who, false, ErrInvalidAuthToken
		}
		who = state.Requester{User: user, AuthRevision: v.AuthRevision()}
	case c.CommonName != "":
		who = state.Requester{User: c.CommonName, AuthRevision: v.AuthRevision()}
	default:
		return v, who, false, nil
	}
	return v, who, true, nil
}

// viewFor is the newest view, for a call with these credentials. A simple token
// that was granted at a place which that has not reached came from another
// zkine: then this one is behind, and catches up first; it may not even know
// that authentication is enabled.
func (b *Backend) viewFor(ctx context.Context, c Credentials) (*state.View, error) {
	v := b.view.Load()
	if !c.HasToken || b.auth.cfg.JWT != nil {
		return v, nil
	}
	if index, ok := token.Index(c.Token); !ok || index <= v.Seq().Index() {
		return v, nil
	}
	if err := b.reads.wait(ctx); err != nil {
		return v, err
	}
	return b.view.Load(), nil
}

// sign puts into a request who asks for it, for the check at apply; etcd's
// processInternalRaftRequestOnce.
func (b *Backend) sign(ctx context.Context, r *recordpb.Request) error {
	if r.GetAuthenticate() != nil {
		return nil // who logs in may still show a token that has ended
	}
	_, who, named, err := b.identify(ctx)
	if err == nil && named {
		r.Header = &pb.RequestHeader{Username: who.User, AuthRevision: who.AuthRevision}
	}
	return err
}

// permit returns the newest view if check has nothing against who makes the
// call: what is read from that view was permitted as of it.
func (b *Backend) permit(ctx context.Context, check func(*state.View, state.Requester) error) (*state.View, error) {
	v, who, _, err := b.identify(ctx)
	if err != nil || !v.AuthEnabled() {
		return v, err
	}
	return v, check(v, who)
}

// permitRead is permit for reads of keys, which are refused to whoever was
// identified at another auth revision; etcd's doSerialize.
func (b *Backend) permitRead(ctx context.Context, check func(*state.View, state.Requester) error) (*state.View, error) {
	return b.permit(ctx, func(v *state.View, who state.Requester) error {
		if err := check(v, who); err != nil {
			return err
		}
		if who.AuthRevision != 0 && who.AuthRevision != v.AuthRevision() {
			return state.ErrAuthOldRevision
		}
		return nil
	})
}

// permitUser is permit for calls that are open to users only.
func (b *Backend) permitUser(ctx context.Context, check func(*state.View, state.Requester) error) (*state.View, error) {
	v, who, named, err := b.identify(ctx)
	if err != nil || !v.AuthEnabled() {
		return v, err
	}
	if !named {
		return v, state.ErrUserEmpty
	}
	return v, check(v, who)
}

// anyUser is a check that lets every user pass.
func anyUser(*state.View, state.Requester) error { return nil }

// AuthEnabled says whether users and roles count, as far as this zkine knows.
func (b *Backend) AuthEnabled() bool { return b.view.Load().AuthEnabled() }

// RequireUser is nil for a call of any user, and while authentication is
// disabled. Errors: ErrInvalidAuthToken, state.ErrUserEmpty.
func (b *Backend) RequireUser(ctx context.Context) error {
	_, err := b.permitUser(ctx, anyUser)
	return err
}

// RequireRoot is nil for a call of a user with the root role, and while
// authentication is disabled. Errors: ErrInvalidAuthToken, those of
// state.View.MayAdminister.
func (b *Backend) RequireRoot(ctx context.Context) error {
	_, err := b.permit(ctx, (*state.View).MayAdminister)
	return err
}

// PermitWatch is nil if the call's client may watch what it asks for. Errors:
// ErrInvalidAuthToken, those of state.View.MayRead. A watch that goes on is not
// looked at again, as in etcd.
func (b *Backend) PermitWatch(ctx context.Context, r *pb.WatchCreateRequest) error {
	key := r.Key
	if len(key) == 0 {
		key = []byte{0} // the smallest key
	}
	_, err := b.permit(ctx, func(v *state.View, who state.Requester) error { return v.MayRead(who, key, r.RangeEnd) })
	return err
}

package backend

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
)

// AuthConfig says how clients prove who they are. It matters only while
// authentication is enabled, which is a part of the state.
type AuthConfig struct {
	// Credentials reads the credentials from the context of a call. With nil, no
	// call has any.
	Credentials func(context.Context) Credentials
	// JWT makes and reads tokens; nil is for simple ones, which last for
	// TokenTTL after their last use. 0 is token.DefaultTTL.
	JWT      *token.JWT
	TokenTTL time.Duration
	// BcryptCost is bcrypt's cost of hashing a password; 0 is bcrypt's default.
	BcryptCost int
}

// Credentials are what a client's call shows.
type Credentials struct {
	// Token is the one that the client got when it logged in. HasToken is false if
	// the call shows no token; an empty one is a token.
	Token    string
	HasToken bool
	// CommonName is that of the client's certificate, if that was verified and may
	// stand for a user; else "". It counts only without a token.
	CommonName string
}

// authenticator knows which user a token stands for.
type authenticator struct {
	cfg       AuthConfig
	simple    *token.Simple
	passwords *token.Passwords
}

func newAuthenticator(cfg AuthConfig) *authenticator {
	if cfg.Credentials == nil {
		cfg.Credentials = func(context.Context) Credentials { return Credentials{} }
	}
	return &authenticator{cfg: cfg, simple: token.NewSimple(cfg.TokenTTL), passwords: token.NewPasswords()}
}

// applied takes over what a slot did to tokens. It is called before the view of
// that slot is published: a view that is as new as a token finds it known. It is
// not called for slots from before this zkine began to serve: no zkine knows how
// long ago their tokens were used last.
func (a *authenticator) applied(changes []state.AuthChange) {
	for _, c := range changes {
		switch {
		case c.Kind == state.UserInvalidated:
			a.simple.Invalidate(c.User)
		case c.Kind == state.AuthDisabled:
			a.simple.Clear()
		case c.Kind == state.TokenGranted:
			a.simple.Grant(c.Token, c.User)
		}
	}
}

// identify says who makes a call, as of the newest view. Errors:
// ErrInvalidAuthToken; those of waiting for a token that this zkine may not know
// yet.
func (s *calls) identify(ctx context.Context) (caller, error) {
	shown := s.auth.cfg.Credentials(ctx)
	v, err := s.viewFor(ctx, shown)
	c := caller{view: v}
	if err != nil || !v.AuthEnabled() {
		return c, err
	}
	switch {
	case shown.HasToken && s.auth.cfg.JWT != nil:
		user, rev, err := s.auth.cfg.JWT.Verify(shown.Token)
		if err != nil {
			return c, fmt.Errorf("%w: %w", ErrInvalidAuthToken, err)
		}
		c.who, c.named = state.Requester{User: user, AuthRevision: rev}, true
	case shown.HasToken:
		user, known := s.auth.simple.User(shown.Token)
		if !known {
			return c, ErrInvalidAuthToken
		}
		c.who, c.named = state.Requester{User: user, AuthRevision: v.AuthRevision()}, true
	case shown.CommonName != "":
		c.who, c.named = state.Requester{User: shown.CommonName, AuthRevision: v.AuthRevision()}, true
	}
	if seen, ok := ctx.Value(IdentifiedKey).(*Identified); ok && c.named {
		user := c.who.User // c itself would be on the heap, of each call
		seen.user.Store(&user)
	}
	return c, nil
}

// Identified is who makes a call: a call whose context holds one under IdentifiedKey
// fills it in.
type Identified struct{ user atomic.Pointer[string] }

// User is the user that the call was made by; "" if it came with no credentials, if they
// were not looked at yet, and while authentication is disabled. Whether the user may make
// the call is another question.
func (i *Identified) User() string {
	if user := i.user.Load(); user != nil {
		return *user
	}
	return ""
}

type identifiedKey struct{}

// IdentifiedKey is the key under which a call's context may hold an *Identified.
var IdentifiedKey any = identifiedKey{}

// viewFor is the newest view, for a call with these credentials. A simple token
// names the place in the log that granted it. If the view has not reached that
// place, another zkine has granted the token and this one is behind: it may not
// even know that authentication is enabled. Then it catches up first.
func (s *calls) viewFor(ctx context.Context, c Credentials) (*state.View, error) {
	v := s.view.Load()
	if !c.HasToken || s.auth.cfg.JWT != nil {
		return v, nil
	}
	if index, ok := token.Index(c.Token); !ok || index <= v.Seq().Index() {
		return v, nil
	}
	if err := s.reads.wait(ctx); err != nil {
		return v, err
	}
	return s.view.Load(), nil
}

// AuthEnabled says whether authentication is enabled, as far as this zkine knows.
func (s *calls) AuthEnabled() bool { return s.view.Load().AuthEnabled() }

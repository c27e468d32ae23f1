package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// ErrNoPasswords says that users count in a source, and that root's password is not
// known: the API does not tell passwords.
var ErrNoPasswords = errors.New("transfer: the API does not tell the passwords of users")

// LiveOptions say how a store is read by its API.
type LiveOptions struct {
	// At is the revision to read, if the source still has it; 0 is the current one.
	At int64
	// Values has only keys, values and leases compared, since revisions will be others.
	Values bool
	// WithoutUsers leaves users and roles out.
	WithoutUsers bool
	// Passwords are bcrypt hashes, by the user's name.
	Passwords map[string][]byte
}

// Live is a store that is read by its API, at one revision.
type Live struct {
	Contents
	// Pinned is that revision, and how much there is.
	Pinned etcdapi.Pinned
	// Locked are users whose passwords are not known: they cannot log in by one.
	Locked []string

	counted bool
	values  bool
	digest  *etcdapi.Digest
}

// lockedPassword is no bcrypt hash, so that no password matches it.
var lockedPassword = []byte("!")

// OpenLive pins a source, and reads all of it but its keys, which Contents.Keys does.
// Errors: those of etcdapi; ErrNoPasswords.
func OpenLive(ctx context.Context, s *etcdapi.Source, o LiveOptions) (*Live, error) {
	pinned, leases, err := s.PinWithLeases(ctx, o.At)
	if err != nil {
		return nil, err
	}
	events, err := s.FloorEvents(ctx, pinned.Revision)
	if err != nil {
		return nil, err
	}
	l := &Live{Pinned: pinned, counted: s.Kind() == etcdapi.Etcd, values: o.Values}
	rev := revision.Rev(pinned.Revision)
	l.Revision, l.Compact, l.Count = rev, rev, pinned.Keys
	if rev == 1 {
		l.Compact = -1 // an empty store
	}
	for _, one := range leases {
		l.Leases = append(l.Leases, state.Lease{ID: one.ID, TTL: one.TTL})
	}
	subs := map[string]int32{}
	for i, e := range events {
		kv := e.Kv
		if e.Type == mvccpb.Event_DELETE {
			kv = &mvccpb.KeyValue{Key: kv.Key, ModRevision: kv.ModRevision}
		} else if err := s.Complete(kv); err != nil {
			return nil, err
		}
		subs[string(kv.Key)] = int32(i)
		l.FloorEvents = append(l.FloorEvents, state.Version{KV: kv, Sub: int32(i)})
	}
	if !o.WithoutUsers && s.Whole() {
		if err := l.admit(ctx, s, o.Passwords); err != nil {
			return nil, err
		}
	}
	l.Keys = func(ctx context.Context) iter.Seq2[state.Version, error] {
		return l.read(s.Keys(ctx, pinned.Revision), subs)
	}
	l.Check = func() Check { return &liveCheck{l.newDigest(), l} }
	return l, nil
}

// admit takes users and roles over.
func (l *Live) admit(ctx context.Context, s *etcdapi.Source, passwords map[string][]byte) error {
	a, err := s.Access(ctx)
	if err != nil {
		return err
	}
	l.AuthEnabled, l.AuthRevision, l.Roles = a.Enabled, a.Revision, a.Roles
	for _, u := range a.Users {
		u.Options = &authpb.UserAddOptions{}
		if u.Password = passwords[string(u.Name)]; u.Password == nil {
			u.Password = lockedPassword
			l.Locked = append(l.Locked, string(u.Name))
		}
		l.Users = append(l.Users, u)
	}
	if a.Enabled && passwords["root"] == nil {
		return ErrNoPasswords
	}
	return nil
}

// read hashes what it yields.
func (l *Live) read(keys iter.Seq2[*mvccpb.KeyValue, error], subs map[string]int32) iter.Seq2[state.Version, error] {
	return func(yield func(state.Version, error) bool) {
		digest := l.newDigest()
		known := make(map[int64]bool, len(l.Leases))
		for _, lease := range l.Leases {
			known[lease.ID] = true
		}
		next := map[int64]int32{} // Sub, by the revision
		for kv, err := range keys {
			if err != nil {
				yield(state.Version{}, err)
				return
			}
			if kv.Lease != 0 && !known[kv.Lease] {
				yield(state.Version{}, fmt.Errorf("%w: a key has a lease that is not listed; run this again", etcdapi.ErrUnreadable))
				return
			}
			digest.Add(kv)
			// A transaction may have changed several keys at once: in which order is not told,
			// but each change has a place of its own, by which databases know it.
			v := state.Version{KV: kv, Sub: next[kv.ModRevision]}
			next[kv.ModRevision]++
			if kv.ModRevision == l.Pinned.Revision {
				v.Sub = subs[string(kv.Key)]
			}
			if !yield(v, nil) {
				return
			}
		}
		if l.counted && digest.Keys != l.Pinned.Keys {
			yield(state.Version{}, fmt.Errorf("%w: it counted %d keys, and gave %d", etcdapi.ErrUnreadable, l.Pinned.Keys, digest.Keys))
			return
		}
		l.digest = digest
	}
}

func (l *Live) newDigest() *etcdapi.Digest {
	if l.values {
		return etcdapi.NewValuesDigest()
	}
	return etcdapi.NewDigest(l.counted)
}

// liveCheck compares what was made with what was read.
type liveCheck struct {
	*etcdapi.Digest
	of *Live
}

// Done implements Check.
func (c *liveCheck) Done() error {
	if c.of.digest == nil || c.String() != c.of.digest.String() {
		return ErrDiffers
	}
	return nil
}

// KeysHash is the hash of all keys, the same on both sides once the Contents were seeded.
func (l *Live) KeysHash() string {
	if l.digest == nil {
		return ""
	}
	return l.digest.String()
}

// Selected is how a source's name tells which keys are read.
func Selected(prefixes []string) string {
	if len(prefixes) == 0 {
		return "all keys"
	}
	return fmt.Sprintf("keys with %q", prefixes)
}

// ReadPasswords hashes passwords of lines "user:password". hash is bcrypt's. Error: a line
// that is none.
func ReadPasswords(text []byte, hash func([]byte) ([]byte, error)) (map[string][]byte, error) {
	all := map[string][]byte{}
	for i, line := range strings.Split(string(bytes.TrimSpace(text)), "\n") {
		name, password, found := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		if !found || name == "" || password == "" {
			return nil, fmt.Errorf("line %d is not a user, a colon and a password", i+1)
		}
		hashed, err := hash([]byte(password))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		all[name] = hashed
	}
	return all, nil
}

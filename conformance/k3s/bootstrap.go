package k3s

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/k3s-io/kine/pkg/client"
)

// errToken is what a server ends with that has another token than the one that wrote the data.
var errToken = errors.New("bootstrap data is there, under another token")

// keyExists is how kine's client says that a key is there; it has no error of its own for it.
const keyExists = "key exists"

// Server is a k3s server towards its datastore.
type Server struct {
	Store client.Client
	// Token is --token, without what k3s puts before it.
	Token string
	// Period is how often it looks at a lock that another one holds, and Attempts how often until it takes that one for
	// dead. k3s has a second and five.
	Period   time.Duration
	Attempts int
}

// Begin returns the data that another server has stored. If there is none it takes the lock, which is a key with an empty
// value, and returns nil: the server then makes the data itself and calls Save.
func (s Server) Begin(ctx context.Context) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		value, err := s.find(ctx)
		switch {
		case err != nil:
			return nil, err
		case value == nil:
			err := s.Store.Create(ctx, keyOf(s.Token), []byte{})
			if err == nil {
				return nil, nil
			}
			if err.Error() != keyExists {
				return nil, err
			}
		case len(value.Data) > 0:
			return open(s.Token, value.Data)
		case attempt >= s.Attempts:
			attempt = 0
			if err := s.Store.Delete(ctx, keyOf(s.Token), value.Modified); err != nil {
				return nil, err
			}
		}
		select {
		case <-time.After(s.Period):
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another server's data: %w", ctx.Err())
		}
	}
}

// Save stores the data: over the lock that Begin has taken, or over older data if rewrite says so. Data that is there
// stays otherwise.
func (s Server) Save(ctx context.Context, data []byte, rewrite bool) error {
	sealed, err := seal(s.Token, data)
	if err != nil {
		return err
	}
	value, err := s.find(ctx)
	if err != nil {
		return err
	}
	rewrite = rewrite || value != nil && len(value.Data) == 0
	err = s.Store.Create(ctx, keyOf(s.Token), sealed)
	if err == nil || err.Error() != keyExists || !rewrite {
		if err != nil && err.Error() == keyExists {
			return nil
		}
		return err
	}
	all, err := s.Store.List(ctx, prefix, 0)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("%d bootstrap keys where one was expected", len(all))
	}
	return s.Store.Update(ctx, keyOf(s.Token), all[0].Modified, sealed)
}

// Rotate moves the data from an old token to the server's.
func (s Server) Rotate(ctx context.Context, old string) error {
	all, err := s.Store.List(ctx, prefix, 0)
	if err != nil {
		return err
	}
	return s.migrate(ctx, all, old)
}

// find is what the token leads to, and nil if there is no data at all. Data without a token is moved first.
func (s Server) find(ctx context.Context) (*client.Value, error) {
	all, err := s.Store.List(ctx, prefix, 0)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if err := s.migrate(ctx, all, ""); err != nil {
		return nil, err
	}
	if all, err = s.Store.List(ctx, prefix, 0); err != nil {
		return nil, err
	}
	for i := range all {
		if string(all[i].Key) == keyOf(s.Token) {
			return &all[i], nil
		}
	}
	return nil, errToken
}

// migrate stores what an old token opens under the server's, and removes it there then.
func (s Server) migrate(ctx context.Context, all []client.Value, old string) error {
	if old == s.Token {
		return nil
	}
	for _, value := range all {
		if string(value.Key) != keyOf(old) {
			continue
		}
		data, err := open(old, value.Data)
		if err != nil {
			return err
		}
		sealed, err := seal(s.Token, data)
		if err != nil {
			return err
		}
		if err := s.Store.Create(ctx, keyOf(s.Token), sealed); err != nil && err.Error() != keyExists {
			return err
		}
		if err := s.Store.Delete(ctx, keyOf(old), value.Modified); err != nil {
			return err
		}
	}
	return nil
}

package zkclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zkclient/transport"
)

// introduce shows each credential, in the order of the auth file, and asks by
// what ZooKeeper knows the session. It comes before the client hears of the
// session, so that nothing is created without them. Errors: ErrUnauthenticated
// if the server does not accept one, which it does not say if the connection ends
// first.
func (c *zkConn) introduce(frames transport.Frames) error {
	if err := identity.Show(frames, c.show); err != nil {
		if errors.Is(err, identity.ErrRefused) {
			return fmt.Errorf("%w: %w; see --zookeeper-auth-file, and what the server says in its log", revision.ErrUnauthenticated, err)
		}
		return err
	}
	ids, err := identity.WhoAmI(frames)
	if errors.Is(err, identity.ErrDemanded) {
		return fmt.Errorf("%w: %w; name a credential of a scheme of the server's enforce.auth.schemes with --zookeeper-auth-file", revision.ErrUnauthenticated, err)
	}
	if err != nil {
		return err
	}
	c.ensemble.introduced(c.label, ids)
	return nil
}

// introduced tells people by what ZooKeeper knows zkine, as often as that changes.
func (z *Ensemble) introduced(server string, ids []identity.ID) {
	var names []string
	for _, id := range ids {
		// A superuser's second identity has no name.
		if id.Scheme != "ip" && id.Name != "" {
			names = append(names, id.Scheme+":"+id.Name)
		}
	}
	slices.Sort(names)
	text := strings.Join(names, ", ")
	z.mu.Lock()
	same := z.knownAs != nil && *z.knownAs == text
	z.knownAs = &text
	z.mu.Unlock()
	switch {
	case same || len(ids) == 0: // a server before 3.7 does not tell
	case len(names) == 0 && (z.TLS == nil || !z.TLS.Certified()): // nothing else was shown
	case len(names) > 0:
		z.Log.Infof("%s knows this zkine as %s", server, text)
	default:
		z.Log.Warnf("%s knows this zkine by its address alone; a certificate counts on a secureClientPort, and with the server's X509AuthenticationProvider", server)
	}
}

// A server that demands to know who asks may grant a session all the same, and
// ends it with its answer to the first request. So what tells is a row of
// verifications that ended so.

// note notes why a connection could not be used, and returns it. The answer of a
// server that demands authentication may get lost with the connection, which it
// ends at once: then the reason is still the one before.
func (s *Session) note(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.demands > 0 && CodeOf(err) == nil {
		err = s.lastErr
	}
	s.lastErr = err
	if errors.Is(err, revision.ErrUnauthenticated) {
		s.demands++
	} else {
		s.demands = 0
	}
	if s.Noted != nil {
		s.Noted(err)
	}
	return err
}

// manyDemands is after how many verifications in a row that a server has ended since
// it demands authentication zkine no longer hopes for another server.
const manyDemands = 4

// Unauthenticated is why there will be no session until a person changes something; nil
// while there is one, or hope.
func (s *Session) Unauthenticated() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil && s.demands >= manyDemands && errors.Is(s.lastErr, revision.ErrUnauthenticated) {
		return s.lastErr
	}
	return nil
}

package usage

import "strings"

// Peer is what is known of a client. Its texts are the client's choice, but for Address.
type Peer struct{ Address, User, Certificate, UserAgent string }

// Caller is a client that calls, for as long as its connection lasts. It may be used by
// several calls at the same time.
type Caller struct {
	user, agent string // as they came
	thing       *thing[Peer]
	recorder    *Recorder
}

// Caller is that of a client.
func (r *Recorder) Caller(p Peer) *Caller {
	return &Caller{p.User, p.UserAgent, r.clients.get(p.name()), r}
}

// Is says whether it is the client of a call on the same connection.
func (c *Caller) Is(user, userAgent string) bool { return c.user == user && c.agent == userAgent }

// add counts for the client.
func (c *Caller) add(n *Totals) { c.recorder.clients.addTo(c.thing, n) }

// between divides the parts of a client's name in its table; no label has it.
const between = "\n"

// name is the client's in its table.
func (p Peer) name() string {
	return strings.Join([]string{label(p.Address, maxLabel), label(p.User, maxLabel), label(p.Certificate, maxLabel), label(p.UserAgent, maxLabel)}, between)
}

func peerOf(name string) Peer {
	part := strings.Split(name, between)
	return Peer{part[0], part[1], part[2], part[3]}
}

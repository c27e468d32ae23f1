package zkacl

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/zkine/zkine/revision/zkroot"
)

// Survey is what znodes have, beside what is wanted.
type Survey struct {
	// Wanted is the expanded list that they were compared with.
	Wanted List
	// Znodes were looked at. Of these, Ephemeral belong to sessions.
	Znodes, Ephemeral int64
	// Closed may not be read, or what is below them may not.
	Closed int64
	// Different is how many allow something else than wanted.
	Different int64
	// Groups are the ACLs of those, the most frequent first; each beyond maxGroups is
	// in none.
	Groups []Group
	// Findings are those, and the closed ones, in order of their paths; at most as
	// many as asked for.
	Findings []Finding
}

// Group is znodes that have one ACL, which is not the one that is wanted.
type Group struct {
	ACL        List
	Difference Difference
	Znodes     int64
	// Examples are paths of some of them.
	Examples []string
}

// Finding is a znode that does not have the ACL that is wanted.
type Finding struct {
	Path       string
	ACL        List
	Difference Difference
	// Ephemeral says that it belongs to a session.
	Ephemeral bool
	// Closed is why it, or what is below it, cannot be judged; nil if it can.
	Closed error
}

const (
	maxGroups   = 32
	maxExamples = 3
)

// Options are what callers may want of a walk over znodes.
type Options struct {
	// Progress hears how many znodes of a pass are done, after each of them, from
	// several goroutines at once; may be nil.
	Progress func(pass int, done int64)
	// MaxFindings bounds Survey.Findings.
	MaxFindings int
}

// Verify compares the ACL of a znode, and of all below it, with a list. To learn
// what an entry of scheme auth stands for, it makes an ephemeral znode in from, and
// removes it. Errors: see Expand; the session's.
func Verify(ctx context.Context, conn Session, from string, wanted List, o Options) (*Survey, error) {
	wanted, err := Expand(ctx, conn, from, wanted)
	if err != nil {
		return nil, err
	}
	c := newCount(wanted, o)
	w := walk{conn: conn, visit: func(_ context.Context, z *znode) error {
		c.note(z)
		c.pass.tick()
		return nil
	}}
	if err := w.run(ctx, from); err != nil {
		return nil, err
	}
	return c.survey(), nil
}

// VerifySome is Verify of some znodes, without what is below them. Those that are
// not there are left out.
func VerifySome(ctx context.Context, conn Session, from string, paths []string, wanted List) (*Survey, error) {
	wanted, err := Expand(ctx, conn, from, wanted)
	if err != nil {
		return nil, err
	}
	c := newCount(wanted, Options{MaxFindings: len(paths)})
	for _, path := range paths {
		z, err := look(ctx, conn, path)
		if err != nil {
			return nil, err
		}
		if z != nil {
			c.note(z)
		}
	}
	return c.survey(), nil
}

// count makes a Survey of znodes.
type count struct {
	limit int
	pass  pass

	mu     sync.Mutex
	s      Survey
	groups map[string]*Group
}

func newCount(wanted List, o Options) *count {
	return &count{limit: o.MaxFindings, pass: pass{number: 1, progress: o.Progress}, s: Survey{Wanted: wanted}, groups: map[string]*Group{}}
}

func (c *count) note(z *znode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Znodes++
	f := Finding{Path: z.path, ACL: z.acl}
	if z.stat != nil && zkroot.Ephemeral(z.stat) {
		f.Ephemeral = true
		c.s.Ephemeral++
	}
	if z.closed == nil {
		f.Difference = z.acl.Against(c.s.Wanted)
	}
	switch f.Closed = cmp.Or(z.closed, z.unlisted); {
	case f.Closed != nil:
		c.s.Closed++
	case f.Difference == Same:
		return
	}
	if f.Difference != Same {
		c.s.Different++
		c.group(&f)
	}
	// The first by their paths: members and parents are found late.
	at, _ := slices.BinarySearchFunc(c.s.Findings, f, func(a, b Finding) int { return cmp.Compare(a.Path, b.Path) })
	if at < c.limit {
		c.s.Findings = slices.Insert(c.s.Findings, at, f)
		c.s.Findings = c.s.Findings[:min(len(c.s.Findings), c.limit)]
	}
}

func (c *count) group(f *Finding) {
	key := f.ACL.String()
	g := c.groups[key]
	if g == nil {
		if len(c.groups) == maxGroups {
			return
		}
		g = &Group{ACL: f.ACL, Difference: f.Difference}
		c.groups[key] = g
	}
	if g.Znodes++; len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, f.Path)
	}
}

func (c *count) survey() *Survey {
	for _, g := range slices.SortedFunc(maps.Values(c.groups), func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Znodes, a.Znodes), cmp.Compare(a.ACL.String(), b.ACL.String()))
	}) {
		c.s.Groups = append(c.s.Groups, *g)
	}
	return &c.s
}

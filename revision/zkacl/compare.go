package zkacl

import "github.com/go-zookeeper/zk"

// Difference says what one list allows, beside another.
type Difference int

const (
	// Same lists allow the same to everyone.
	Same Difference = iota
	// Weaker is a list that allows someone more, and no client less.
	Weaker
	// Stronger is a list that allows someone less, and no client more.
	Stronger
	// Other is a list that allows some more and some less.
	Other
)

// String is a word for people.
func (d Difference) String() string {
	return [...]string{"the same", "weaker", "stronger", "other"}[d]
}

// Against compares what l allows with what wanted does. Both are expanded. Ids
// are taken as they are: no address is in another's range.
func (l List) Against(wanted List) Difference {
	have, want := l.rights(), wanted.rights()
	more, less := exceeds(have, want), exceeds(want, have)
	switch {
	case more && less:
		return Other
	case more:
		return Weaker
	case less:
		return Stronger
	}
	return Same
}

// Exceeds says whether l allows someone more than wanted does.
func (l List) Exceeds(wanted List) bool { return exceeds(l.rights(), wanted.rights()) }

type id struct{ scheme, id string }

var everyone = id{"world", "anyone"}

// rights are the permissions of each id. What everyone has counts once.
func (l List) rights() map[id]int32 {
	rights := map[id]int32{}
	for _, a := range l {
		rights[id{a.Scheme, a.ID}] |= a.Perms & zk.PermAll
	}
	for i := range rights {
		if i != everyone {
			rights[i] &^= rights[everyone]
		}
	}
	return rights
}

// exceeds says whether someone may do more by a than by b.
func exceeds(a, b map[id]int32) bool {
	for i, perms := range a {
		if perms&^(b[i]|b[everyone]) != 0 {
			return true
		}
	}
	return false
}

package zkacl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zktest"
)

// TestTry has the server judge lists, each of which must leave nothing behind.
func TestTry(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret, bobSecret)
	s.create(t, open, root)
	a, b := zkacl.List(alice).String(), zkacl.List(bob).String()
	const stranger = "digest:carol:AAAAAAAAAAAAAAAAAAAAAAAAAAA=:cdrwa"
	for _, c := range []struct {
		list string
		err  error
		text string
	}{
		{"open", nil, ""},
		{"creator", nil, ""},
		{a, nil, ""},
		{a + ";" + stranger, nil, ""},
		{"world:anyone:cdrwa;" + stranger, nil, ""},
		{"ip:127.0.0.1:cdrwa", nil, ""},
		{"ip:127.0.0.0/8:cdr;digest:alice:" + alice[0].ID[6:] + ":aw", nil, ""},
		{stranger, zkacl.ErrLocksOut, "does not let it create (c); give all permissions, cdrwa, to it, whom ZooKeeper knows by digest:alice:"},
		{a[:len(a)-5] + "drwa", zkacl.ErrLocksOut, "create (c)"},
		{a[:len(a)-5] + "cdwa", zkacl.ErrLocksOut, "read (r)"},
		{a[:len(a)-5] + "cdra", zkacl.ErrLocksOut, "write (w)"},
		{b[:len(b)-5] + "crwa", zkacl.ErrLocksOut, "delete (d)"},
		{b[:len(b)-5] + "cdrw;" + stranger, zkacl.ErrLocksOut, "change the ACL (a)"},
		{"world:anyone:cdrw", zkacl.ErrLocksOut, "no id the permission to change the ACL (a)"},
		{"ip:10.1.2.3:cdrwa", zkacl.ErrLocksOut, "create (c)"},
		{"sasl:zkine:cdrwa;open:x:r", zkacl.ErrList, ""},
	} {
		list, err := zkacl.Parse(c.list)
		if err == nil {
			err = zkacl.Try(t.Context(), s, root, list)
		}
		if c.err == nil {
			require.NoError(t, err, c.list)
			continue
		}
		require.ErrorIs(t, err, c.err, c.list)
		require.ErrorContains(t, err, c.text, c.list)
		require.NotContains(t, err.Error(), alice[0].ID, "the hash is cut short")
	}
	names, err := s.Children(t.Context(), root)
	require.NoError(t, err)
	require.Empty(t, names)
}

// TestTryWhereTheServerKnowsNoScheme names the entry that it refuses: this server
// has no SASL.
func TestTryWhereTheServerKnowsNoScheme(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret)
	s.create(t, open, root)
	err := zkacl.Try(t.Context(), s, root, parse(t, zkacl.List(alice).String()+";sasl:zkine:cdrwa"))
	require.ErrorIs(t, err, zkacl.ErrList)
	require.ErrorContains(t, err, "does not accept the entry sasl:zkine:cdrwa; ")
}

// TestTryAnonymously has scheme auth stand for no id.
func TestTryAnonymously(t *testing.T) {
	root, s := zktest.Root(t), session(t)
	s.create(t, open, root)
	require.NoError(t, zkacl.Try(t.Context(), s, root, open))
	require.ErrorIs(t, zkacl.Try(t.Context(), s, root, parse(t, zkacl.Creator)), zkacl.ErrAnonymous)
	require.ErrorContains(t, zkacl.Try(t.Context(), s, root, alice), "knows by its address alone")
	_, err := zkacl.Expand(t.Context(), s, root, parse(t, zkacl.Creator))
	require.ErrorIs(t, err, zkacl.ErrAnonymous)
}

// TestTryInAClosedFolder does not take the folder's ACL for the list's.
func TestTryInAClosedFolder(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret)
	s.create(t, alice, root)
	err := zkacl.Try(t.Context(), session(t, bobSecret), root, open)
	require.ErrorIs(t, err, revision.ErrForbidden)
	require.NotErrorIs(t, err, zkacl.ErrLocksOut)
}

// TestExpand has the server say what auth stands for, and clean up.
func TestExpand(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret, bobSecret)
	s.create(t, open, root)
	list, err := zkacl.Expand(t.Context(), s, root, parse(t, "auth::rw;world:anyone:r"))
	require.NoError(t, err)
	require.Equal(t, zkacl.Same, list.Against(parse(t, "digest:"+alice[0].ID+":rw;digest:"+bob[0].ID+":rw;world:anyone:r")), list)
	names, err := s.Children(t.Context(), root)
	require.NoError(t, err)
	require.Empty(t, names)
}

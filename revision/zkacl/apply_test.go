package zkacl_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zktest"
)

// TestApply moves a tree from open to who applies it, and again to nothing to do.
func TestApply(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret)
	paths := s.tree(t, open, root, 0, 1, 300, 40)
	s.create(t, open, root+"/f-2/n-7/deep", root+"/f-2/n-7/deep/er", root+"-sibling")
	paths = append(paths, root+"/f-2/n-7/deep", root+"/f-2/n-7/deep/er")

	var last int64
	done, err := zkacl.Apply(t.Context(), s, root, parse(t, zkacl.Creator), zkacl.Options{
		Progress: func(pass int, done int64) {
			if pass == 2 && done == int64(len(paths)) {
				last = done
			}
		},
	})
	require.NoError(t, err)
	require.Equal(t, &zkacl.Applied{Passes: 2, Znodes: int64(len(paths)), Changed: int64(len(paths))}, done)
	require.EqualValues(t, len(paths), last)
	require.ElementsMatch(t, paths, s.set)
	parentsLast(t, s.set)
	for _, p := range paths {
		require.Equal(t, zkacl.List(alice), s.acl(t, p))
	}
	require.Equal(t, zkacl.List(open), s.acl(t, root+"-sibling"), "it is not below the root")

	done, err = zkacl.Apply(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Equal(t, &zkacl.Applied{Passes: 1, Znodes: int64(len(paths))}, done)

	stranger := session(t)
	_, _, err = stranger.GetACL(t.Context(), root)
	require.ErrorIs(t, err, revision.ErrForbidden)
}

// TestAnInterruptedApplyIsBegunAgain ends one after some of its changes, and has
// the next one change the rest only.
func TestAnInterruptedApplyIsBegunAgain(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret)
	paths := s.tree(t, open, root, 200)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	s.before = func(n int) {
		if n == 100 {
			cancel(why)
		}
	}
	done, err := zkacl.Apply(ctx, s, root, alice, zkacl.Options{})
	require.ErrorIs(t, err, why)
	s.before = nil
	survey, err := zkacl.Verify(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Positive(t, survey.Different)
	require.Less(t, survey.Different, int64(len(paths)))
	require.LessOrEqual(t, done.Changed, int64(len(paths))-survey.Different)

	again, err := zkacl.Apply(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Equal(t, survey.Different, again.Changed)
	survey, err = zkacl.Verify(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Zero(t, survey.Different)
}

// TestApplyWhileZnodesComeAndGo has znodes vanish that were listed, and others
// appear in folders that were done.
func TestApplyWhileZnodesComeAndGo(t *testing.T) {
	root, s, other := zktest.Root(t), session(t, aliceSecret), session(t, aliceSecret)
	paths := s.tree(t, open, root, 100, 100)
	s.before = func(n int) {
		switch n {
		case 10: // folder f-1 is done first: the last name is taken first
			_, err := other.Multi(context.Background(), &zk.DeleteRequest{Path: paths[2], Version: -1}, &zk.DeleteRequest{Path: paths[3], Version: -1})
			require.NoError(t, err)
		case 201: // the root, or what comes close to it
			_, err := other.Multi(context.Background(), &zk.CreateRequest{Path: root + "/f-0/late", Acl: open},
				&zk.CreateRequest{Path: root + "/f-1/late", Acl: open}, &zk.CreateRequest{Path: root + "/late", Acl: alice})
			require.NoError(t, err)
		}
	}
	done, err := zkacl.Apply(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Equal(t, 3, done.Passes)
	require.EqualValues(t, len(paths)+1, done.Znodes)
	survey, err := zkacl.Verify(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Equal(t, &zkacl.Survey{Wanted: alice, Znodes: done.Znodes}, survey)
}

// TestApplyGivesUp has someone create open znodes for ever.
func TestApplyGivesUp(t *testing.T) {
	root, s, other := zktest.Root(t), session(t, aliceSecret), session(t)
	s.create(t, open, root, root+"/f")
	closing := zk.DigestACL(zk.PermAll, "alice", "a")
	s.before = func(int) {
		_, err := other.Multi(context.Background(), &zk.CreateRequest{Path: root + "/f/n-", Acl: open, Flags: zk.FlagSequence})
		if !errors.Is(err, revision.ErrForbidden) {
			require.NoError(t, err)
		}
	}
	// The folder must stay open for the stranger.
	done, err := zkacl.Apply(t.Context(), s, root, append(zk.WorldACL(zk.PermCreate|zk.PermRead), closing...), zkacl.Options{})
	require.ErrorIs(t, err, zkacl.ErrUnsettled)
	require.Equal(t, 10, done.Passes)
}

// TestApplyAroundClosedZnodes changes what it may, and tells of the rest.
func TestApplyAroundClosedZnodes(t *testing.T) {
	root, s, b := zktest.Root(t), session(t, aliceSecret), session(t, bobSecret)
	s.tree(t, open, root, 5, 5)
	b.create(t, bob, root+"/f-0/bobs", root+"/bobs", root+"/bobs/below")
	// One whose ACL alice may change, but not list.
	_, err := b.Session.SetACL(t.Context(), root+"/f-1", zk.DigestACL(zk.PermAdmin, "alice", "a"), -1)
	require.NoError(t, err)
	// One that she may look at, and not change.
	b.create(t, append(zk.WorldACL(zk.PermRead), bob...), root+"/readable")

	survey, err := zkacl.Verify(t.Context(), s, root, alice, zkacl.Options{MaxFindings: 100})
	require.NoError(t, err)
	require.EqualValues(t, 3, survey.Closed, "f-1 for what is below it")

	done, err := zkacl.Apply(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.EqualValues(t, 3, done.Closed)
	require.ErrorIs(t, done.FirstClosed, revision.ErrForbidden)
	survey, err = zkacl.Verify(t.Context(), s, root, alice, zkacl.Options{MaxFindings: 100})
	require.NoError(t, err)
	var left []string
	for _, f := range survey.Findings {
		left = append(left, strings.TrimPrefix(f.Path, root))
	}
	require.Equal(t, []string{"/bobs", "/f-0/bobs", "/readable"}, left)
	require.EqualValues(t, 1, survey.Different)
	require.EqualValues(t, 2, survey.Closed)
	require.Equal(t, zkacl.Other, survey.Groups[0].Difference)
}

// TestApplyLeavesEphemeralZnodes: they tell what their sessions create.
func TestApplyLeavesEphemeralZnodes(t *testing.T) {
	root, s, member := zktest.Root(t), session(t, aliceSecret), session(t)
	s.create(t, open, root)
	_, err := member.Multi(t.Context(), &zk.CreateRequest{Path: root + "/member", Acl: open, Flags: zk.FlagEphemeral})
	require.NoError(t, err)
	done, err := zkacl.Apply(t.Context(), s, root, alice, zkacl.Options{})
	require.NoError(t, err)
	require.Equal(t, &zkacl.Applied{Passes: 2, Znodes: 2, Changed: 1, Owned: 1}, done)
	require.Equal(t, zkacl.List(open), s.acl(t, root+"/member"))
	survey, err := zkacl.Verify(t.Context(), s, root, alice, zkacl.Options{MaxFindings: 1})
	require.NoError(t, err)
	require.Equal(t, []zkacl.Finding{{Path: root + "/member", ACL: open, Difference: zkacl.Weaker, Ephemeral: true}}, survey.Findings)
}

func TestApplyOne(t *testing.T) {
	root, s := zktest.Root(t), session(t, aliceSecret)
	s.create(t, open, root, root+"/below")
	for _, want := range []bool{true, false} {
		changed, err := zkacl.ApplyOne(t.Context(), s, root, alice)
		require.NoError(t, err)
		require.Equal(t, want, changed)
	}
	require.Equal(t, zkacl.List(open), s.acl(t, root+"/below"))
	_, err := zkacl.ApplyOne(t.Context(), s, root+"/none", alice)
	require.ErrorIs(t, err, zk.ErrNoNode)
	_, err = zkacl.ApplyOne(t.Context(), session(t), root, alice)
	require.ErrorIs(t, err, revision.ErrForbidden)
}

// TestWhatOthersMayDoAboveARoot: who may delete in the root's parent can still not
// delete a root that holds something.
func TestWhatOthersMayDoAboveARoot(t *testing.T) {
	parent, s, other := zktest.Root(t), session(t, aliceSecret), session(t)
	root := parent + "/root"
	s.create(t, open, parent)
	s.create(t, alice, root, root+"/format")
	for path, want := range map[string]error{root: zk.ErrNotEmpty, root + "/format": zk.ErrNoAuth} {
		_, err := other.Multi(t.Context(), &zk.DeleteRequest{Path: path, Version: -1})
		require.ErrorIs(t, err, want)
	}
	_, err := other.Multi(t.Context(), &zk.CreateRequest{Path: root + "/more", Acl: open})
	require.ErrorIs(t, err, zk.ErrNoAuth)
	_, err = s.Multi(t.Context(), &zk.DeleteRequest{Path: root + "/format", Version: -1})
	require.NoError(t, err)
	_, err = other.Multi(t.Context(), &zk.DeleteRequest{Path: root, Version: -1})
	require.NoError(t, err, "an empty one it may")
}

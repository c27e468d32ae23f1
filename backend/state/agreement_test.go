package state

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func mark() *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_DigestMark{DigestMark: &recordpb.DigestMark{}}}
}

func report(at revision.Seq, member, digest uint64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_DigestReport{DigestReport: &recordpb.DigestReport{
		Segment: at.Segment, Slot: at.Slot, MemberId: member, Digest: digest}}}
}

func TestAgreementRounds(t *testing.T) {
	m := New()
	apply := func(slot int64, requests ...*recordpb.Request) Agreement {
		m.Apply(revision.Slot{Seq: revision.Seq{Segment: 1, Slot: slot}, Nonce: revision.DrawNonce(rand.Reader), Requests: requests})
		return m.View().Agreement()
	}
	require.Equal(t, Agreement{}, apply(0, report(revision.Seq{Segment: 1, Slot: 0}, 1, 7)), "no round yet")
	at := revision.Seq{Segment: 1, Slot: 1}
	require.Equal(t, Agreement{At: at}, apply(1, mark()))
	old := apply(2, report(at, 1, 7))
	require.Equal(t, []Report{{1, 7}}, old.Reports)
	now := apply(3, report(at, 2, 7), report(at, 2, 9), report(revision.Seq{Segment: 1, Slot: 0}, 3, 9))
	require.Equal(t, []Report{{1, 7}, {2, 7}}, now.Reports, "one report a member, none of another round")
	require.Equal(t, []Report{{1, 7}}, old.Reports, "an older view keeps what it showed")
	agree, _, _ := now.Verdict()
	require.True(t, agree)
	now = apply(4, report(at, 3, 9))
	agree, majority, found := now.Verdict()
	require.False(t, agree)
	require.True(t, found)
	require.EqualValues(t, 7, majority)
	now = apply(5, report(at, 4, 9))
	agree, _, found = now.Verdict()
	require.False(t, agree)
	require.False(t, found, "two against two")
	require.Equal(t, Agreement{At: revision.Seq{Segment: 1, Slot: 6}}, apply(6, mark()))
}

package backend_test

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zklog"
)

// TestRestartedMemberIsNotOutvotedByItsPast starts a member anew in the middle of
// a round for which its life before has reported a wrong digest. A report that
// comes late must not stop it once more.
func TestRestartedMemberIsNotOutvotedByItsPast(t *testing.T) {
	e := memzk.New()
	log, err := zklog.Open(within(t), zklog.Config{Dialer: e, Root: "/zkine", Name: "others", Log: silent()})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	write := func(r *recordpb.Request) revision.Seq {
		out, err := log.Append(within(t), &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{r}})
		require.NoError(t, err)
		return out.Seq
	}
	mark := write(&recordpb.Request{Kind: &recordpb.Request_DigestMark{DigestMark: &recordpb.DigestMark{}}})
	report := func(member, digest uint64) {
		write(&recordpb.Request{Kind: &recordpb.Request_DigestReport{DigestReport: &recordpb.DigestReport{
			Segment: mark.Segment, Slot: mark.Slot, MemberId: member, Digest: digest}}})
	}
	const self = 1<<8 + 'a' // as openOn numbers it
	report(self, 666)
	report(1, 42)
	a := openOn(t, e, "a")
	report(2, 42)
	put(t, a, "k", "goes on")
	require.Len(t, a.View().Agreement().Reports, 3)
	_, majority, found := a.View().Agreement().Verdict()
	require.True(t, found && majority == 42)
	require.NoError(t, a.Ready())
}

package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// answers keeps what a call was answered, each time.
type answers []struct {
	body []byte
	code int32
	err  error
}

func (a *answers) take(body []byte, code int32, err error) {
	*a = append(*a, struct {
		body []byte
		code int32
		err  error
	}{bytes.Clone(body), code, err})
}

// ownFrame is a request of one's own with a body of so many bytes.
func ownFrame(size int) []byte { return make([]byte, OwnHead+size) }

// TestOwnRequestsGoBesideTheClients: the client gets its replies alone, and each
// call its own, however the bytes come.
func TestOwnRequestsGoBesideTheClients(t *testing.T) {
	large := multi(result(opCreate).string(string(bytes.Repeat([]byte("p"), 3*readBuffer))))
	for name, pieces := range map[string]func(io.Reader) io.Reader{
		"whole":   func(r io.Reader) io.Reader { return r },
		"by byte": iotest.OneByteReader,
	} {
		t.Run(name, func(t *testing.T) {
			w := says()
			g := behind(t, w, someBounds)
			var small, big, failed answers
			_, err := g.Begin(opMulti, ownFrame(40), small.take)
			require.NoError(t, err)
			_, err = g.Write(asks(xid+1, opExists, 20))
			require.NoError(t, err)
			_, err = g.Begin(opMulti, ownFrame(8<<10), big.take)
			require.NoError(t, err)
			_, err = g.Begin(opMulti, ownFrame(20), failed.take)
			require.NoError(t, err)
			require.Equal(t, uint32(OwnHead-lengthSize+40), binary.BigEndian.Uint32(w.sent.Bytes()[len(w.sent.Bytes())-OwnHead-20-OwnHead-8<<10-32-OwnHead-40:]))

			mine := multi(result(opCheck), result(opCheck))
			theirs := ok(xid + 1).stat().frame()
			said := renumbered(mine, firstOwn).frame()
			said = append(said, theirs...)
			said = append(said, renumbered(large, firstOwn+1).frame()...)
			said = append(said, header(firstOwn+2, -101).frame()...)
			said = append(said, header(xidEvent, 0).int(3).int(3).string("/").frame()...)
			g.Conn = &wire{Reader: pieces(bytes.NewReader(said))}
			got, err := io.ReadAll(g)
			require.NoError(t, err)
			require.Equal(t, append(theirs, header(xidEvent, 0).int(3).int(3).string("/").frame()...), got)
			require.Len(t, small, 1)
			require.NoError(t, small[0].err)
			require.Equal(t, []byte(mine[headerSize:]), small[0].body)
			require.Len(t, big, 1)
			require.Equal(t, []byte(large[headerSize:]), big[0].body)
			require.Len(t, failed, 1)
			require.EqualValues(t, -101, failed[0].code)
		})
	}
}

// renumbered is a reply with another xid.
func renumbered(reply jute, xid int32) jute {
	return append(jute{}.int(xid), reply[lengthSize:]...)
}

// TestOwnRequestsEndWithTheConnection, each once, and none begins after that.
func TestOwnRequestsEndWithTheConnection(t *testing.T) {
	g := behind(t, says(), someBounds)
	var given, left answers
	call, err := g.Begin(opMulti, ownFrame(10), given.take)
	require.NoError(t, err)
	_, err = g.Begin(opMulti, ownFrame(10), left.take)
	require.NoError(t, err)
	bored := errors.New("bored")
	call.GiveUp(bored)
	call.GiveUp(bored)
	_, err = io.ReadAll(g) // the wire has ended
	require.NoError(t, err)
	g.Abandon(bored)
	require.Len(t, given, 1)
	require.ErrorIs(t, given[0].err, bored)
	require.Len(t, left, 1)
	require.ErrorIs(t, left[0].err, io.EOF)
	_, err = g.Begin(opMulti, ownFrame(10), left.take)
	require.ErrorIs(t, err, io.EOF)
	require.Len(t, left, 1)
}

// TestAnOwnRequestNeverWaits for another's write, nor for room in the system's buffers.
func TestAnOwnRequestNeverWaits(t *testing.T) {
	g := behind(t, says(), someBounds)
	none := func([]byte, int32, error) { t.Error("it was answered") }
	g.writing.Lock()
	_, err := g.Begin(opMulti, ownFrame(10), none)
	require.ErrorIs(t, err, ErrBusy)
	g.writing.Unlock()
	_, err = g.Write(asks(xid+1, opMulti, mostUnanswered))
	require.NoError(t, err)
	_, err = g.Begin(opMulti, ownFrame(10), none)
	require.ErrorIs(t, err, ErrBusy)
}

// TestTheClientsXidsStayItsOwn: a connection ends before two requests are called alike.
func TestTheClientsXidsStayItsOwn(t *testing.T) {
	g := behind(t, says(), someBounds)
	_, err := g.Write(asks(firstOwn, opExists, 10))
	require.ErrorIs(t, err, ErrBadRequest)
}

// TestAReplyThatIsCutIsAnAnswer: what the reply answers is not left without one, wherever
// the connection ends.
func TestAReplyThatIsCutIsAnAnswer(t *testing.T) {
	whole := renumbered(multi(result(opCheck), result(opCheck)), firstOwn).frame()
	for n := 1; n < len(whole); n++ {
		g := behind(t, says(), someBounds)
		var given answers
		_, err := g.Begin(opMulti, ownFrame(10), given.take)
		require.NoError(t, err)
		g.Conn = &wire{Reader: bytes.NewReader(whole[:n])}
		_, err = io.ReadAll(g)
		require.Error(t, err)
		require.Len(t, given, 1, "%d bytes of %d", n, len(whole))
		require.Error(t, given[0].err)
	}
}

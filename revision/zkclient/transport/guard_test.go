package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a connection with nothing behind it: what it says was decided before,
// and what it is told is kept.
type wire struct {
	io.Reader
	sent   bytes.Buffer
	closed bool
}

func (w *wire) Write(p []byte) (int, error)      { return w.sent.Write(p) }
func (w *wire) Close() error                     { w.closed = true; return nil }
func (w *wire) LocalAddr() net.Addr              { return nil }
func (w *wire) RemoteAddr() net.Addr             { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// says is a wire that says these bytes, each piece by itself, and ends.
func says(pieces ...[]byte) *wire {
	var all []io.Reader
	for _, piece := range pieces {
		all = append(all, bytes.NewReader(piece))
	}
	return &wire{Reader: io.MultiReader(all...)}
}

// jute builds what ZooKeeper sends.
type jute []byte

func (j jute) int(n int32) jute     { return binary.BigEndian.AppendUint32(j, uint32(n)) }
func (j jute) long(n int64) jute    { return binary.BigEndian.AppendUint64(j, uint64(n)) }
func (j jute) bytes(b []byte) jute  { return append(j.int(int32(len(b))), b...) }
func (j jute) string(s string) jute { return j.bytes([]byte(s)) }
func (j jute) stat() jute           { return append(j, make([]byte, statSize)...) }
func (j jute) frame() []byte        { return append(jute{}.int(int32(len(j))), j...) }
func (j jute) byte(b byte) jute     { return append(j, b) }
func header(xid, code int32) jute   { return jute{}.int(xid).long(7).int(code) }
func ok(xid int32) jute             { return header(xid, 0) }
func result(op int32) jute          { return jute{}.int(op).byte(0).int(-1) }

// asks is a request of an opcode, with so many bytes behind.
func asks(xid, opcode int32, size int) []byte {
	return append(jute{}.int(xid).int(opcode), make([]byte, size)...).frame()
}

var (
	connects  = append(jute{}.int(0).long(0).int(9000).long(0), make([]byte, 20)...).frame()
	connected = jute{}.int(0).int(9000).long(0x1234).bytes(make([]byte, 16)).frame()
)

const someData = 1 << 20

var someBounds = Config{Limit: time.Minute, MaxData: someData, MaxChildren: someData / 2}

// behind is a guard that has passed the connect response on.
func behind(t testing.TB, w *wire, cfg Config) *Guard {
	t.Helper()
	first := w.Reader
	w.Reader = io.MultiReader(bytes.NewReader(connected), first)
	g := New(w, cfg)
	_, err := g.Write(connects)
	require.NoError(t, err)
	got := make([]byte, len(connected))
	_, err = io.ReadFull(g, got)
	require.NoError(t, err)
	require.Equal(t, connected, got)
	require.Equal(t, 9*time.Second, g.SessionTimeout())
	return g
}

const xid = 5

// goodReplies are what ZooKeeper answers to each request that zkine sends.
var goodReplies = map[string]struct {
	opcode int32
	reply  jute
}{
	"create":              {opCreate, ok(xid).string("/a")},
	"delete":              {opDelete, ok(xid)},
	"exists":              {opExists, ok(xid).stat()},
	"exists not":          {opExists, header(xid, -101)},
	"getData":             {opGetData, ok(xid).bytes([]byte("value")).stat()},
	"getData, none":       {opGetData, ok(xid).int(-1).stat()},
	"getData, empty":      {opGetData, ok(xid).int(0).stat()},
	"getData, large":      {opGetData, ok(xid).bytes(make([]byte, 100_000)).stat()},
	"getData, at most":    {opGetData, ok(xid).bytes(make([]byte, someData-headerSize-4-statSize)).stat()},
	"setData":             {opSetData, ok(xid).stat()},
	"getACL":              {opGetACL, ok(xid).int(2).int(31).string("world").string("anyone").int(1).string("digest").string("a:b").stat()},
	"setACL":              {opSetACL, ok(xid).stat()},
	"getChildren":         {opGetChildren, ok(xid).int(2).string("a").string("b")},
	"getChildren2":        {opGetChildren2, ok(xid).int(2).string("a").string("bcd").stat()},
	"getChildren2, none":  {opGetChildren2, ok(xid).int(0).stat()},
	"getChildren2, large": {opGetChildren2, manyNames(20_000).stat()},
	"sync":                {opSync, ok(xid).string("/")},
	"multi":               {opMulti, multi(result(opCheck), result(opCreate).string("/s-1"), result(opSetData).stat(), result(opDelete))},
	"multi, failed":       {opMulti, multi(result(opError).int(-101), result(opError).int(-2))},
	"multi, refused":      {opMulti, header(xid, -124)},
	"multi, large":        {opMulti, multi(slices.Repeat([]jute{result(opError).int(-2)}, 500)...)},
	"multiRead":           {opMultiRead, multi(read([]byte("value")), result(opGetData).int(-1).stat(), result(opError).int(-101), read(nil))},
	"multiRead, large":    {opMultiRead, multi(read(make([]byte, 100_000)), read(nil))},
	"multiRead, refused":  {opMultiRead, header(xid, -127)},
	"setAuth":             {opSetAuth, ok(xid)},
	"SASL":                {opSASL, ok(xid).string("challenge")},
	"SASL, the end":       {opSASL, ok(xid).int(-1)},
	"closeSession":        {opCloseSession, ok(xid)},
	"whoami":              {107, ok(xid).int(1).string("ip").string("127.0.0.1")}, // not looked into
}

func manyNames(n int) jute {
	names := ok(xid).int(int32(n))
	for i := range n {
		names = names.string(fmt.Sprintf("s-%d", i))
	}
	return names
}

// multi is a reply to a multi with these results.
func multi(results ...jute) jute {
	return slices.Concat(ok(xid), slices.Concat(results...), jute{}.int(-1).byte(1).int(-1))
}

// read is the result of a read in a multi of reads.
func read(data []byte) jute { return result(opGetData).bytes(data).stat() }

// endless is the same without an end.
func endless(results ...jute) jute { return append(ok(xid), slices.Concat(results...)...) }

// requestSize has room for the operations of each multi in goodReplies.
const requestSize = 500 * leastOp

func TestRealRepliesPassUnchanged(t *testing.T) {
	for name, c := range goodReplies {
		for piece, cut := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "a byte at a time": iotest.OneByteReader, "halves": iotest.HalfReader,
		} {
			t.Run(name+", "+piece, func(t *testing.T) {
				event := jute{}.int(-1).long(-1).int(0).int(3).int(3).string("/a").frame()
				ping := header(xidPing, 0).frame()
				said := bytes.Join([][]byte{event, c.reply.frame(), ping, event}, nil)
				g := behind(t, &wire{Reader: cut(bytes.NewReader(said))}, someBounds)
				for _, request := range [][]byte{asks(xid, c.opcode, requestSize), asks(xidPing, opPing, 0)} {
					_, err := g.Write(request)
					require.NoError(t, err)
				}
				got, err := io.ReadAll(g)
				require.NoError(t, err)
				require.True(t, bytes.Equal(said, got), "what passes is what was said")
				require.Equal(t, io.EOF, g.Err())
				require.NoError(t, g.Refusal())
			})
		}
	}
}

// TestMalformedAnswersAreRefused has answers of which the client would read more
// than there is, or take memory that nothing asked for.
func TestMalformedAnswersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		opcode int32
		said   []byte
		why    string
	}{
		"shorter than its header":   {opExists, jute(make([]byte, 15)).frame(), "shorter than its header"},
		"empty":                     {opExists, jute{}.int(0), "shorter than its header"},
		"negative":                  {opExists, jute{}.int(-5), "shorter than its header"},
		"not asked for":             {opExists, ok(xid + 1).stat().frame(), "request 6, which was not sent"},
		"a ping that was not sent":  {opExists, ok(xidPing).frame(), "which was not sent"},
		"an auth that was not sent": {opExists, ok(-4).frame(), "which was not sent"},
		"large without data":        {opExists, append(jute{}.int(smallReply+1), ok(xid)...), "may have 65536"},
		"large and unknown":         {107, append(jute{}.int(smallReply+1), ok(xid)...), "may have 65536"},
		"a large error":             {opGetData, append(jute{}.int(smallReply+1), header(xid, -101)...), "may have 65536"},
		"data above the bound":      {opGetData, append(jute{}.int(someData+1), ok(xid)...), "may have 1048576; if another zkine"},
		"children above the bound":  {opGetChildren2, append(jute{}.int(someData/2+1), ok(xid)...), "may have 524288"},
		"a large event":             {opExists, append(jute{}.int(smallReply+1), header(xidEvent, 0)...), "may have 65536"},
		"a multi above its request": {opMulti, append(jute{}.int(smallReply+4*(requestSize+12)+1), ok(xid)...), "may have"},
		"no stat":                   {opExists, ok(xid).frame(), "ends in the middle"},
		"half a stat":               {opExists, append(ok(xid), make([]byte, 40)...).frame(), "ends in the middle"},
		"no path":                   {opCreate, ok(xid).frame(), "ends in the middle"},
		"a path beyond the end":     {opCreate, ok(xid).int(3).frame(), "a string of 3 bytes in 0"},
		"a negative path":           {opCreate, ok(xid).int(-1).frame(), "a string of -1 bytes"},
		"data beyond the end":       {opGetData, ok(xid).int(100).stat().frame(), "a buffer of 100 bytes in 68"},
		"data and no stat":          {opGetData, ok(xid).string("value").frame(), "a buffer of 5 bytes in 5"},
		"data of no length":         {opGetData, ok(xid).int(-2).stat().frame(), "a buffer of -2 bytes"},
		"children beyond the end":   {opGetChildren2, ok(xid).int(2).string("a").stat().frame(), "a vector of 2 entries in 73"},
		"negative children":         {opGetChildren2, ok(xid).int(-1).stat().frame(), "a vector of -1 entries"},
		"a name beyond the end":     {opGetChildren2, ok(xid).int(1).int(9).string("a").stat().frame(), "a string of 9 bytes in"},
		"an ACL beyond the end":     {opGetACL, ok(xid).int(3).int(31).string("world").string("anyone").stat().frame(), "a vector of 3 entries"},
		"an id beyond the end":      {opGetACL, ok(xid).int(1).int(31).string("world").int(7).stat().frame(), "a string of 7 bytes"},
		"a multi without an end":    {opMulti, endless(result(opCheck)).frame(), "ends in the middle"},
		"a multi without a code":    {opMulti, endless(result(opError)).frame(), "ends in the middle"},
		"a multi without a stat":    {opMulti, multi(result(opSetData)).frame(), "ends in the middle"},
		"a multi of unknown kind":   {opMulti, multi(result(77)).frame(), "unknown operation 77"},
		"a multi of more results":   {opMulti, multi(slices.Repeat([]jute{result(opCheck)}, requestSize)...).frame(), "more results"},
		"reads above the bound":     {opMultiRead, append(jute{}.int(someData+1), ok(xid)...), "may have 1048576"},
		"reads without an end":      {opMultiRead, endless(read(nil)).frame(), "ends in the middle"},
		"a read beyond the end":     {opMultiRead, endless(result(opGetData).int(100).stat()).frame(), "a buffer of 100 bytes in 68"},
		"a read of no length":       {opMultiRead, multi(result(opGetData).int(-2).stat()).frame(), "a buffer of -2 bytes"},
		"a read without a stat":     {opMultiRead, multi(result(opGetData).string("v")).frame(), "a buffer of 1 bytes in 10"},
		"nothing without a stat":    {opMultiRead, multi(result(opGetData).int(-1)).frame(), "ends in the middle"},
		"a write among reads":       {opMultiRead, multi(read(nil), result(opSetData).stat()).frame(), "unknown operation 5"},
		"a read among writes":       {opMulti, multi(result(opCheck), read(nil)).frame(), "unknown operation 4"},
		"more results than reads":   {opMultiRead, multi(slices.Repeat([]jute{result(opError).int(-1)}, requestSize)...).frame(), "more results"},
		"a token beyond the end":    {opSASL, ok(xid).int(3).frame(), "a buffer of 3 bytes in 0"},
		"an event without a path":   {opExists, header(xidEvent, 0).int(3).int(3).frame(), "ends in the middle"},
		"a path beyond the event":   {opExists, header(xidEvent, 0).int(3).int(3).int(1).frame(), "a string of 1 bytes in 0"},
		"an event of the session":   {opExists, header(xidEvent, 0).int(-1).int(-112).string("").frame(), "unknown type -1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := says(c.said, make([]byte, 1<<20))
			g := behind(t, w, someBounds)
			_, err := g.Write(asks(xid, c.opcode, requestSize))
			require.NoError(t, err)
			got, err := io.ReadAll(g)
			require.ErrorIs(t, err, ErrBadFrame)
			require.ErrorContains(t, err, c.why)
			require.Equal(t, err, g.Err())
			require.Equal(t, err, g.Refusal())
			require.True(t, w.closed)
			require.Less(t, len(got), len(c.said), "never a whole frame")
			_, err = g.Read(make([]byte, 1))
			require.ErrorIs(t, err, ErrBadFrame, "again and again")
		})
	}
}

func TestAReplyIsToOneRequestOnce(t *testing.T) {
	g := behind(t, says(ok(xid).frame(), ok(xid).frame()), someBounds)
	_, err := g.Write(asks(xid, opDelete, 0))
	require.NoError(t, err)
	got, err := io.ReadAll(g)
	require.Equal(t, ok(xid).frame(), got)
	require.ErrorIs(t, err, ErrBadFrame)
}

func TestWhatIsNoRequestIsNotSent(t *testing.T) {
	for _, p := range [][]byte{{}, {0, 0}, asks(1, 1, 5)[:16], append(asks(1, 1, 5), 0), jute{}.int(1).frame()} {
		w := says()
		g := behind(t, w, someBounds)
		sent := w.sent.Len()
		_, err := g.Write(p)
		require.ErrorIs(t, err, ErrBadRequest)
		require.Equal(t, sent, w.sent.Len())
	}
}

// TestTheConnectionsOwnEndIsKept: what TLS says of a refused certificate comes
// as the error of a read.
func TestTheConnectionsOwnEndIsKept(t *testing.T) {
	why := &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}
	g := New(&wire{Reader: iotest.ErrReader(why)}, someBounds)
	_, err := g.Read(make([]byte, 4))
	require.Equal(t, why, err)
	require.Equal(t, why, g.Err())
	require.NoError(t, g.Refusal())

	w := says(ok(xid).stat().frame()[:30])
	g = behind(t, w, someBounds)
	_, err = g.Write(asks(xid, opExists, 0))
	require.NoError(t, err)
	_, err = io.ReadAll(g)
	require.Equal(t, io.ErrUnexpectedEOF, err)
	require.NoError(t, g.Refusal())
}

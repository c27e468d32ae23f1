package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnectResponses(t *testing.T) {
	password := make([]byte, 16)
	for name, c := range map[string]struct {
		said    []byte
		why     string // "" if it passes
		granted time.Duration
	}{
		"of 3.9":                {said: connected, granted: 9 * time.Second},
		"with read-only":        {said: jute{}.int(0).int(4000).long(1).bytes(password).byte(0).frame(), granted: 4 * time.Second},
		"expired":               {said: jute{}.int(0).int(0).long(0).bytes(password).frame()},
		"without a password":    {said: jute{}.int(0).int(4000).long(1).int(-1).frame(), granted: 4 * time.Second},
		"at most":               {said: jute{}.int(0).int(4000).long(1).bytes(make([]byte, 4096-24)).frame(), granted: 4 * time.Second},
		"longer":                {said: jute{}.int(0).int(4000).long(1).bytes(make([]byte, 4096-23)).frame(), why: "begins with a length of 4093"},
		"shorter":               {said: make(jute, 19).frame(), why: "begins with a length of 19"},
		"of no length":          {said: make([]byte, 100), why: "begins with a length of 0"},
		"of negative length":    {said: jute{}.int(-1), why: "begins with a length of -1"},
		"of a huge length":      {said: jute{}.int(1 << 30), why: "begins with a length of 1073741824"},
		"a long password":       {said: jute{}.int(0).int(4000).long(1).int(17).bytes(password[:12]).frame(), why: "has a password of 17 bytes in 36"},
		"a negative password":   {said: jute{}.int(0).int(4000).long(1).int(-2).bytes(password[:12]).frame(), why: "has a password of -2 bytes"},
		"for no time":           {said: jute{}.int(0).int(0).long(1).bytes(password).frame(), why: "grants a session for 0 ms"},
		"for a negative time":   {said: jute{}.int(0).int(-5).long(1).bytes(password).frame(), why: "grants a session for -5 ms"},
		"cut off":               {said: connected[:30], why: "is cut off"},
		"cut off in its length": {said: connected[:3], why: "is cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{Reader: iotest.HalfReader(bytes.NewReader(c.said))}
			g := New(w, someBounds)
			got, err := io.ReadAll(g)
			require.Equal(t, c.granted, g.SessionTimeout())
			if c.why == "" {
				require.NoError(t, err)
				require.Equal(t, c.said, got)
				return
			}
			require.ErrorIs(t, err, ErrNotZooKeeper)
			require.ErrorContains(t, err, c.why)
			require.Equal(t, err, g.Refusal())
			require.Empty(t, got)
			require.True(t, w.closed)
		})
	}
}

// TestWhatAnswersIsNamed has what servers of other protocols say, of their own
// or to a connect request.
func TestWhatAnswersIsNamed(t *testing.T) {
	for said, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400": `looks like HTTP ("HTTP/1.1 400 Bad Request"), not ZooKeeper; let --zookeeper name`,
		"\x15\x03\x01\x00\x02\x02\x46":                                    "looks like TLS, not ZooKeeper; if it is ZooKeeper's secureClientPort, turn TLS on",
		"\x16\x03\x03\x00\x7a\x02":                                        "looks like TLS, not ZooKeeper; if",
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00":    "looks like HTTP/2 or gRPC, not ZooKeeper; let",
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00":                            "looks like HTTP/2 or gRPC, not ZooKeeper; let",
		"\x00\x00\x08\x07\x00\x00\x00\x00\x00":                            "looks like HTTP/2 or gRPC, not ZooKeeper; let",
		"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n":                              `looks like SSH ("SSH-2.0-OpenSSH_9.2p1 Debian-2"), not ZooKeeper; let`,
		"-ERR unknown command\r\n":                                        `looks like Redis ("-ERR unknown command"), not ZooKeeper; let`,
		"E\x00\x00\x00\x60SFATAL\x00C0A000\x00Munsupported\x00":           "looks like PostgreSQL, not ZooKeeper; let",
		"\x4a\x00\x00\x00\x0a8.0.36\x00":                                  "looks like MySQL, not ZooKeeper; let",
		"AMQP\x00\x00\x09\x01":                                            "looks like AMQP, not ZooKeeper; let",
		"220 mail.example ESMTP\r\n":                                      `looks like a mail or FTP server ("220 mail.example ESMTP"), not ZooKeeper; let`,
		"ERROR\r\n":                                                       `looks like text ("ERROR"), not ZooKeeper; let`,
		"\x7f\x00\x01\x02\x03\x04\x05\x06\x07":                            "what answers is not ZooKeeper, its first answer begins with a length of 2130706690; let",
	} {
		_, err := New(says([]byte(said)), someBounds).Read(make([]byte, 4))
		require.ErrorIs(t, err, ErrNotZooKeeper)
		require.ErrorContains(t, err, want)
		_, err = New(&wire{Reader: iotest.OneByteReader(bytes.NewReader([]byte(said)))}, someBounds).Read(make([]byte, 4))
		require.ErrorIs(t, err, ErrNotZooKeeper, "in pieces it may not be named")
	}
}

// TestAnExcerptIsForPeople: what was received gets into a log.
func TestAnExcerptIsForPeople(t *testing.T) {
	require.Equal(t, ` ("HTTP/1.1 200 OK")`, excerpt([]byte("HTTP/1.1 200 OK\r\nSecret: x")))
	require.Empty(t, excerpt([]byte("a\x1b[31m")))
	require.Empty(t, excerpt([]byte("caf\xc3\xa9")))
	require.Len(t, excerpt(bytes.Repeat([]byte("a"), 1000)), 40+len(` ("")`))
}

// TestGrantedSpeaksBeforeTheClientHears: it authenticates, and the client gets
// the connect response afterwards, and nothing of what was said in between.
func TestGrantedSpeaksBeforeTheClientHears(t *testing.T) {
	const auth = -4
	large := bytes.Repeat([]byte("t"), 10_000) // larger than the buffer
	w := says(connected, ok(auth).frame(), ok(9).bytes(large).frame(), header(auth, -115).frame())
	asked := 0
	cfg := someBounds
	cfg.Granted = func(f Frames) error {
		asked++
		body, code, err := f.Call(auth, opSetAuth, jute{}.int(0).string("digest").string("a:b"))
		require.NoError(t, err)
		require.Zero(t, code)
		require.Empty(t, body)
		body, code, err = f.Call(9, opSASL, jute{}.string("token"))
		require.NoError(t, err)
		require.Zero(t, code)
		require.Equal(t, []byte(jute{}.bytes(large)), body)
		_, code, err = f.Call(auth, opSetAuth, jute{}.int(0).string("digest").string("a:c"))
		require.NoError(t, err)
		require.EqualValues(t, -115, code)
		return nil
	}
	g := New(w, cfg)
	_, err := g.Write(connects)
	require.NoError(t, err)
	got, err := io.ReadAll(g)
	require.NoError(t, err)
	require.Equal(t, connected, got)
	require.Equal(t, 1, asked)
	first := jute{}.int(auth).int(opSetAuth).int(0).string("digest").string("a:b").frame()
	require.True(t, bytes.HasPrefix(w.sent.Bytes(), append(bytes.Clone(connects), first...)))
}

func TestGrantedIsNotCalledForAnExpiredSession(t *testing.T) {
	cfg := someBounds
	cfg.Granted = func(Frames) error { return errors.New("it was called") }
	g := New(says(jute{}.int(0).int(0).long(0).bytes(make([]byte, 16)).frame()), cfg)
	_, err := io.ReadAll(g)
	require.NoError(t, err)
}

// TestGrantedEndsTheConnection: the client gets nothing.
func TestGrantedEndsTheConnection(t *testing.T) {
	denied := errors.New("who are you")
	for name, c := range map[string]struct {
		said    []byte // after the connect response
		does    func(Frames) error
		is      error
		refusal bool
	}{
		"by its own decision":   {nil, func(Frames) error { return denied }, denied, true},
		"by a malformed reply":  {ok(3).frame(), call, ErrBadFrame, true},
		"by a large reply":      {append(jute{}.int(smallReply+1), ok(2)...), call, ErrBadFrame, true},
		"by a reply to another": {header(xidEvent, 0).int(3).int(3).string("/").frame(), call, ErrBadFrame, true},
		"since it was lost":     {nil, call, io.EOF, false},
		"since it was cut off":  {ok(2).frame()[:9], call, io.ErrUnexpectedEOF, false},
		"by what comes early":   {ok(2).frame(), func(Frames) error { return nil }, ErrBadFrame, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := someBounds
			cfg.Granted = c.does
			w := says(connected, c.said)
			if name == "by what comes early" {
				w = says(append(bytes.Clone(connected), c.said...))
			}
			g := New(w, cfg)
			_, err := g.Write(connects)
			require.NoError(t, err)
			got, err := io.ReadAll(g)
			require.ErrorIs(t, err, c.is)
			require.Empty(t, got)
			require.Equal(t, c.refusal, g.Refusal() != nil)
			require.Equal(t, c.refusal, w.closed)
		})
	}
}

func call(f Frames) error {
	_, _, err := f.Call(2, opSASL, nil)
	if err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	return nil
}

package listener

import (
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
)

// crowd is a Connections under test.
type crowd struct {
	*Connections
	t    *testing.T
	logs *logrustest.Hook
}

func newCrowd(t *testing.T, most int) *crowd {
	log, hook := logrustest.NewNullLogger()
	return &crowd{NewConnections(most, "clients", logrus.NewEntry(log)), t, hook}
}

// join admits a connection, which is nil if there is no room, and returns the
// client's side of it.
func (c *crowd) join() (server *Conn, client net.Conn) {
	near, far := net.Pipe()
	server = c.admit(near)
	if server != nil {
		c.decide(server)
	}
	c.t.Cleanup(func() { near.Close(); far.Close() })
	return server, far
}

func (c *crowd) requireCounts(open int, ended Ended) {
	c.t.Helper()
	gotOpen, gotEnded := c.Counts()
	require.Equal(c.t, open, gotOpen)
	require.Equal(c.t, ended, gotEnded)
}

// requireEnded reads the end of a connection on the client's side.
func requireEnded(t *testing.T, client net.Conn) {
	t.Helper()
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// A connection counts until it is closed, once.
func TestConnectionsCount(t *testing.T) {
	c := newCrowd(t, 2)
	one, _ := c.join()
	two, _ := c.join()
	c.requireCounts(2, Ended{})
	one.Close()
	one.Close()
	c.requireCounts(1, Ended{})
	two.Close()
	c.requireCounts(0, Ended{})
	require.Empty(t, c.logs.AllEntries())
}

// The connection that has been idle for longest makes room. One with a call under
// way does not, and a young one neither.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3)
		busy, _ := c.join()
		busy.BeginCall()
		time.Sleep(time.Second)
		_, idleClient := c.join()
		time.Sleep(time.Second)
		late, lateClient := c.join()
		time.Sleep(youth)

		_, newClient := c.join()
		requireEnded(t, idleClient)
		c.requireCounts(3, Ended{Evicted: 1})

		// A call makes it the one that was idle last.
		time.Sleep(time.Nanosecond)
		late.BeginCall()
		late.EndCall()
		time.Sleep(youth)
		c.join()
		requireEnded(t, newClient)
		c.requireCounts(3, Ended{Evicted: 2})

		late.BeginCall()
		refused, refusedClient := c.join() // the others are in use, or young
		require.Nil(t, refused)
		requireEnded(t, refusedClient)
		c.requireCounts(3, Ended{Evicted: 2, Refused: 1})

		late.EndCall()
		time.Sleep(youth)
		c.join()
		time.Sleep(youth)
		c.join()
		requireEnded(t, lateClient)
		require.Len(t, c.logs.AllEntries(), 2, "one line of each kind")
	})
}

// Connections that do not say what they speak have a bound of their own, below that
// of all, and end each other.
func TestUndecidedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10*mostUndecided)
		decided, _ := c.join()
		var clients []net.Conn
		for range mostUndecided {
			near, far := net.Pipe()
			defer far.Close()
			require.NotNil(t, c.admit(near))
			clients = append(clients, far)
		}
		near, far := net.Pipe()
		require.Nil(t, c.admit(near), "all are young")
		requireEnded(t, far)
		time.Sleep(youth)
		near, far = net.Pipe()
		defer far.Close()
		require.NotNil(t, c.admit(near))
		c.requireCounts(mostUndecided+1, Ended{Evicted: 1, Refused: 1})
		decided.Close()
		c.requireCounts(mostUndecided, Ended{Evicted: 1, Refused: 1})
		_ = clients
	})
}

// A connection that makes no call is ended.
func TestSilentConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10)
		silent, silentClient := c.join()
		calling, callingClient := c.join()
		gone, _ := c.join()
		for _, conn := range []*Conn{silent, calling, gone} {
			c.awaitCall(conn)
		}
		calling.BeginCall()
		calling.EndCall()
		gone.Close()
		c.awaitCall(gone) // too late
		time.Sleep(silentLimit - 1)
		c.requireCounts(2, Ended{})
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		c.requireCounts(1, Ended{Silent: 1})
		requireEnded(t, silentClient)
		callingClient.Close()
	})
}

// A client that takes nothing is given up; one that takes a little now and then is
// not, however long it takes.
func TestStalledClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10)
		slow, slowClient := c.join()
		go func() {
			for range 10 {
				time.Sleep(writeStall - 1)
				_, _ = io.ReadFull(slowClient, make([]byte, 10)) // the test sees what was written
			}
		}()
		n, err := slow.Write(make([]byte, 100))
		require.NoError(t, err)
		require.Equal(t, 100, n)

		stalled, _ := c.join()
		began := time.Now()
		_, err = stalled.Write(make([]byte, 100))
		require.Error(t, err)
		require.Equal(t, writeStall+writeSlack, time.Since(began))

		// A deadline of the caller's own counts instead, until it is taken off.
		own, _ := c.join()
		require.NoError(t, own.SetDeadline(time.Now().Add(time.Second)))
		began = time.Now()
		_, err = own.Write(make([]byte, 100))
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(began))
		require.NoError(t, own.SetWriteDeadline(time.Time{}))
		_, err = own.Write(make([]byte, 100))
		require.Error(t, err)
		require.Equal(t, time.Second+writeStall+writeSlack, time.Since(began))
	})
}

// A write has the whole of its time, also soon before the deadline of those before it.
func TestADeadlineServesManyWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10)
		conn, client := c.join()
		go func() { _, _ = io.CopyN(io.Discard, client, 3) }()
		for _, pause := range []time.Duration{0, writeSlack, time.Hour} {
			time.Sleep(pause)
			_, err := conn.Write([]byte("a"))
			require.NoError(t, err)
		}
		time.Sleep(writeSlack)
		began := time.Now()
		_, err := conn.Write([]byte("a"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(began), writeStall)
	})
}

// A probe has room while others send the headers of their requests, or more of them
// than there may be.
func TestAProbeHasRoomBesideHeaders(t *testing.T) {
	log, _ := logrustest.NewNullLogger()
	probed := NewProbed(logrus.NewEntry(log))
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{MaxHeaderBytes: 1 << 10, ErrorLog: stdlog.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })}
	TrackHTTP(s)
	served := make(chan error)
	go func() { served <- s.Serve(probed.Listen(socket)) }()
	defer func() {
		s.Close()
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}()
	for _, said := range []string{"GET / HTTP/1.1\r\nA: ", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 6<<10)} {
		for range MetricsConnections {
			conn, err := net.Dial("tcp", socket.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, _ = io.WriteString(conn, said) // it may have been ended
		}
		require.Eventually(t, func() bool { open, _ := probed.Counts(); return open >= MetricsConnections/2 }, time.Minute, time.Millisecond)
		time.Sleep(probeYouth) // none of them is young any more
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		resp, err := client.Get("http://" + socket.Addr().String())
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
}

// What the limit of open files leaves, etcd's 150 aside.
func TestConnectionsWithinTheLimitOfOpenFiles(t *testing.T) {
	for limit, want := range map[uint64]int{151: 1, 256: 106, 1024: 874, 1 << 20: 1<<20 - 150, 1 << 40: 1 << 20, 1<<64 - 1: 1 << 20} {
		got, err := connectionsWithin(limit)
		require.NoError(t, err)
		require.Equal(t, want, got, fmt.Sprint(limit))
	}
	for _, limit := range []uint64{0, 64, 150} {
		_, err := connectionsWithin(limit)
		require.ErrorContains(t, err, fmt.Sprintf("the limit of %d open files leaves none for clients: zkine keeps 150 for itself; raise it", limit))
	}
	require.Less(t, MetricsConnections, ReservedDescriptors/2)
}

package zkclient_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

// soon is within what time of the moment in which a server can serve a session
// on it must be had.
const soon = time.Second

// behaviour is what an address does with a connection.
type behaviour func(client net.Conn, target string)

// keepsSilent is a server that hangs.
func keepsSilent(client net.Conn, _ string) { io.Copy(io.Discard, client) } //nolint:errcheck // until the client goes

// closes is a server without a quorum.
func closes(client net.Conn, _ string) { client.Close() }

// serves hands all on to a real server.
func serves(client net.Conn, target string) { splice(client, target, func(net.Conn) {}) }

// grantsOnly hands on what makes a session, and swallows every request.
func grantsOnly(client net.Conn, target string) {
	splice(client, target, func(server net.Conn) {
		head := make([]byte, 4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		server.Write(head)                                             //nolint:errcheck // the other side sees it
		io.CopyN(server, client, int64(binary.BigEndian.Uint32(head))) //nolint:errcheck // likewise
		io.Copy(io.Discard, client)                                    //nolint:errcheck // likewise
	})
}

// splice connects a client with a server; first may handle what it sends first.
func splice(client net.Conn, target string, first func(server net.Conn)) {
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(client, server) //nolint:errcheck // ends with either
		client.Close()
	}()
	first(server)
	io.Copy(server, client) //nolint:errcheck // ends with either
}

// address is a listener whose behaviour can be changed for connections to come.
type address struct {
	net.Listener
	target string
	does   atomic.Pointer[behaviour]
	seen   atomic.Int64
	work   sync.WaitGroup
}

// listenAt listens on host, on a port that other loopback hosts may share.
func listenAt(t *testing.T, host, port, target string, does behaviour) *address {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	require.NoError(t, err)
	a := &address{Listener: l, target: target}
	a.does.Store(&does)
	var mu sync.Mutex
	var open []net.Conn
	a.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			a.seen.Add(1)
			a.work.Go(func() {
				defer conn.Close()
				(*a.does.Load())(conn, target)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		a.work.Wait()
	})
	return a
}

func (a *address) becomes(does behaviour) { a.does.Store(&does) }

func (a *address) port() string {
	_, port, _ := net.SplitHostPort(a.Addr().String())
	return port
}

// inTime dials, and fails the test if that takes longer than limit.
func inTime(t *testing.T, d zkclient.Dialer, limit time.Duration, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longTimeout)
	defer cancel()
	began := time.Now()
	conn, err := d.Dial(ctx)
	require.NoError(t, err, why)
	took := time.Since(began)
	conn.Close()
	require.Less(t, took, limit, why)
}

// TestEveryAddressOfANameIsAServer has one name lead to four addresses, of which
// one serves. Dial begins with each of them.
func TestEveryAddressOfANameIsAServer(t *testing.T) {
	target := zktest.Shared(t).Addr()
	hangs := listenAt(t, "127.0.0.1", "0", target, keepsSilent)
	port := hangs.port()
	// Nobody listens on 127.0.0.2.
	listenAt(t, "127.0.0.3", port, target, closes)
	listenAt(t, "127.0.0.4", port, target, grantsOnly)
	listenAt(t, "127.0.0.5", port, target, serves)
	var lookups atomic.Int64
	d := patient("zookeeper.example:"+port, "nowhere.example:"+port)
	d.Lookup = func(_ context.Context, host string) ([]string, error) {
		if lookups.Add(1); host != "zookeeper.example" {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return []string{"127.0.0.4", "127.0.0.1", "127.0.0.3", "127.0.0.2", "127.0.0.5"}, nil
	}
	for i := range 5 {
		inTime(t, d, soon, fmt.Sprint("dial ", i))
	}
	require.GreaterOrEqual(t, lookups.Load(), int64(10), "each dial looks the names up")
	require.Len(t, d.Addresses(t.Context()), 5)
}

// TestANameMayLeadElsewhereLater begins with a name that leads nowhere, then to
// a server that is gone, and at last to one that serves.
func TestANameMayLeadElsewhereLater(t *testing.T) {
	good := listenAt(t, "127.0.0.5", "0", zktest.Shared(t).Addr(), serves)
	var lookups atomic.Int64
	d := patient("zookeeper.example:" + good.port())
	moved := make(chan time.Time, 1)
	d.Lookup = func(_ context.Context, host string) ([]string, error) {
		switch lookups.Add(1) {
		case 1:
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		case 2:
			return []string{"127.0.0.2"}, nil
		case 3:
			return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
		}
		select {
		case moved <- time.Now():
		default:
		}
		return []string{"127.0.0.5"}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), longTimeout)
	defer cancel()
	conn, err := d.Dial(ctx)
	require.NoError(t, err)
	defer conn.Close()
	require.Less(t, time.Since(<-moved), soon)
}

// TestNamesThatLeadNowhereAreNamed ends a dial that had no chance.
func TestNamesThatLeadNowhereAreNamed(t *testing.T) {
	d := patient("nowhere.example:2181", "sick.example:2181")
	d.Lookup = func(_ context.Context, host string) ([]string, error) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: strings.HasPrefix(host, "nowhere")}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	_, err := d.Dial(ctx)
	require.ErrorContains(t, err, "nowhere.example:2181: its name leads to no address")
	require.ErrorContains(t, err, "sick.example:2181: its name could not be looked up")
}

// TestAServerIsFoundSoonAfterItServes waits with a dial for the only server that
// will serve, after it has not for a while in each way.
func TestAServerIsFoundSoonAfterItServes(t *testing.T) {
	target := zktest.Shared(t).Addr()
	for name, before := range map[string]behaviour{"hangs": keepsSilent, "no quorum": closes, "grants only": grantsOnly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			late := listenAt(t, "127.0.0.1", "0", target, before)
			others := []*address{late, listenAt(t, "127.0.0.1", "0", target, keepsSilent),
				listenAt(t, "127.0.0.1", "0", target, closes), listenAt(t, "127.0.0.1", "0", target, grantsOnly)}
			d := patient()
			for _, a := range others {
				d.Servers = append(d.Servers, a.Addr().String())
			}
			for i := range 3 {
				late.becomes(before)
				dialed := make(chan error, 1)
				var closing sync.WaitGroup
				closing.Go(func() {
					conn, err := d.Dial(t.Context())
					dialed <- err
					if err == nil {
						conn.Close()
					}
				})
				// Past the first attempts, and at any place of what follows.
				time.Sleep(2*time.Second + time.Duration(i)*170*time.Millisecond)
				began := time.Now()
				late.becomes(serves)
				require.NoError(t, <-dialed)
				require.Less(t, time.Since(began), soon)
				closing.Wait()
			}
		})
	}
}

// TestADialAsksSparingly counts what servers that cannot serve see of a dial that
// goes on for five seconds.
func TestADialAsksSparingly(t *testing.T) {
	target := zktest.Shared(t).Addr()
	for name, does := range map[string]behaviour{"hangs": keepsSilent, "no quorum": closes, "grants only": grantsOnly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := listenAt(t, "127.0.0.1", "0", target, does)
			d := patient(a.Addr().String(), a.Addr().String()) // twice the same is one
			const lasts = 5 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			_, err := d.Dial(ctx)
			require.Error(t, err)
			t.Log(err)
			perSecond := float64(a.seen.Load()) / lasts.Seconds()
			require.LessOrEqual(t, perSecond, 4.0)
			require.GreaterOrEqual(t, perSecond, 1.0, "it goes on")
		})
	}
}

// TestSessionsThatComeTooLateAreClosed lets two servers grant one, of which one
// takes its time.
func TestSessionsThatComeTooLateAreClosed(t *testing.T) {
	slow, quick := zktest.NewProxy(t, zktest.Shared(t).Addr()), zktest.NewProxy(t, zktest.Shared(t).Addr())
	slow.Delay(zktest.ToClient, 400*time.Millisecond)
	d := patient(slow.Addr(), quick.Addr())
	for range 2 { // each begins with another one
		inTime(t, d, soon, "the quick one serves")
	}
	slow.AwaitRequests(zktest.OpClose, 1)
}

// TestADialGoesOnForLong waits longer for a server than any number that grows
// with time may.
func TestADialGoesOnForLong(t *testing.T) {
	a := listenAt(t, "127.0.0.1", "0", zktest.Shared(t).Addr(), closes)
	d := patient(a.Addr().String())
	dialed := make(chan error, 1)
	go func() {
		conn, err := d.Dial(t.Context())
		if err == nil {
			conn.Close()
		}
		dialed <- err
	}()
	time.Sleep(12 * time.Second)
	began := time.Now()
	a.becomes(serves)
	require.NoError(t, <-dialed)
	require.Less(t, time.Since(began), soon)
}

// TestAServerThatTurnsZkineAwayIsAskedSeldom has one that demands authentication:
// it grants a session, answers the first write with a code, and closes.
func TestAServerThatTurnsZkineAwayIsAskedSeldom(t *testing.T) {
	server := zktest.Start(t, zktest.WithProperty("enforce.auth.enabled", "true"),
		zktest.WithProperty("enforce.auth.schemes", "sasl"), zktest.WithProperty("authProvider.sasl", "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"))
	proxy := zktest.NewProxy(t, server.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := patient(proxy.Addr()).Dial(ctx)
	require.ErrorContains(t, err, proxy.Addr()+": turns zkine away: ")
	t.Log(err)
	require.LessOrEqual(t, proxy.Requests(zktest.OpMulti), 3)
}

package zkclient_test

import (
	"context"
	"fmt"
	"math"
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
// on it must be had, on a machine that is not loaded.
const soon = time.Second

// loadFactor is how many times the slowest plain dial may go into finding a
// server, besides soon.
const loadFactor = 10

// yardstick dials a server that serves, again and again, until stop is called,
// which returns how much time the load of the machine allows beyond soon: where
// plain dials are slow, all dials are.
func yardstick(t *testing.T) (stop func() time.Duration) {
	t.Helper()
	plain := patient(zktest.Shared(t).Addr())
	over, slowest := make(chan struct{}), make(chan time.Duration, 1)
	var closing sync.WaitGroup
	go func() {
		const pause = 50 * time.Millisecond
		for longest := time.Duration(0); ; {
			began := time.Now()
			if conn, err := plain.Dial(t.Context()); err == nil {
				longest = max(longest, time.Since(began))
				closing.Go(conn.Close)
			}
			select {
			case <-over:
				closing.Wait()
				slowest <- longest
				return
			case <-time.After(pause):
			}
		}
	}()
	return func() time.Duration {
		close(over)
		return loadFactor * <-slowest
	}
}

// inTime dials, and fails the test if that takes longer than limit.
func inTime(t *testing.T, d zkclient.Dialer, limit time.Duration, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longTimeout)
	defer cancel()
	allowance := yardstick(t)
	began := time.Now()
	conn, err := d.Dial(ctx)
	took := time.Since(began)
	limit += allowance()
	require.NoError(t, err, why)
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
	require.Len(t, d.Found(t.Context()), 5)
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
	allowance := yardstick(t)
	conn, err := d.Dial(ctx)
	dialed := time.Now()
	limit := soon + allowance()
	require.NoError(t, err)
	defer conn.Close()
	require.Less(t, dialed.Sub(<-moved), limit)
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
				allowance := yardstick(t)
				began := time.Now()
				late.becomes(serves)
				err := <-dialed
				took := time.Since(began)
				limit := soon + allowance()
				require.NoError(t, err)
				require.Less(t, took, limit)
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
	allowance := yardstick(t)
	began := time.Now()
	a.becomes(serves)
	err := <-dialed
	took := time.Since(began)
	limit := soon + allowance()
	require.NoError(t, err)
	require.Less(t, took, limit)
}

// TestAServerThatTurnsZkineAwayIsAskedSeldom has one that demands authentication:
// it grants a session, answers the first write with a code, and closes. That the
// connection is closed may overtake the code, about once in eight dials; then the
// server counts as one that refuses, which is asked more often. So one dial of a
// few has to show it.
func TestAServerThatTurnsZkineAwayIsAskedSeldom(t *testing.T) {
	server := zktest.Start(t, zktest.WithProperty("enforce.auth.enabled", "true"),
		zktest.WithProperty("enforce.auth.schemes", "sasl"), zktest.WithProperty("authProvider.sasl", "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"))
	fewest := math.MaxInt
	for range 6 {
		proxy := zktest.NewProxy(t, server.Addr())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := patient(proxy.Addr()).Dial(ctx)
		cancel()
		require.ErrorContains(t, err, proxy.Addr()+": turns zkine away: ")
		t.Log(err)
		if fewest = min(fewest, proxy.Requests(zktest.OpMulti)); fewest <= 3 {
			break
		}
	}
	require.LessOrEqual(t, fewest, 3)
}

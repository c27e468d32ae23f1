package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

// stream posts to the gateway and returns the lines of the answer.
func stream(t *testing.T, url, path, body string) *bufio.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodPost, url+path, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := new(http.Transport).RoundTrip(req)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	require.Equal(t, 200, resp.StatusCode)
	return bufio.NewReader(resp.Body)
}

func nextLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadBytes('\n')
	require.NoError(t, err)
	return uniform(line)
}

const stopped = `{"error":{"code":14,"message":"etcdserver: server stopped"}}`

// Calls that would last for ever end when the server drains, with the reason,
// whichever way they came, and long before its time is up.
func TestDrainEndsWaitingCalls(t *testing.T) {
	const limit = 2 * time.Second // a busy machine takes a part of it
	s, l := runReal(t, memzk.New(), server.Config{RequestTimeout: limit}, "http://127.0.0.1:0")
	url := listener.BoundURL(l[0])
	conn, err := grpc.NewClient(l[0].Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	lock, election := v3lockpb.NewLockClient(conn), v3electionpb.NewElectionClient(conn)
	_, err = lock.Lock(within(t), &v3lockpb.LockRequest{Name: []byte("held")})
	require.NoError(t, err)
	_, err = election.Campaign(within(t), &v3electionpb.CampaignRequest{Name: []byte("won"), Value: []byte("me")})
	require.NoError(t, err)

	ended := make(chan error, 3)
	go func() {
		_, err := lock.Lock(within(t), &v3lockpb.LockRequest{Name: []byte("held")})
		ended <- err
	}()
	go func() {
		_, err := election.Campaign(within(t), &v3electionpb.CampaignRequest{Name: []byte("won")})
		ended <- err
	}()
	observed, err := election.Observe(within(t), &v3electionpb.LeaderRequest{Name: []byte("won")})
	require.NoError(t, err)
	go func() {
		var err error
		for err == nil {
			_, err = observed.Recv()
		}
		ended <- err
	}()
	watch := stream(t, url, "/v3/watch", `{"create_request":{"key":"Zm9v"}}`)
	require.Contains(t, nextLine(t, watch), `"created":true`)
	overGateway := stream(t, url, "/v3/election/observe", `{"name":"d29u"}`)
	require.Contains(t, nextLine(t, overGateway), `"value":"bWU="`)
	socket, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/v3/watch", nil)
	require.NoError(t, err)
	defer socket.Close()
	require.NoError(t, socket.WriteMessage(websocket.TextMessage, []byte(`{"create_request":{"key":"Zm9v"}}`)))
	_, message, err := socket.ReadMessage()
	require.NoError(t, err)
	require.Contains(t, uniform(message), `"created":true`)

	select {
	case err := <-ended:
		t.Fatalf("ended early: %v", err)
	case <-time.After(limit + limit/4): // other calls have less time than that
	}
	ctx, cancel := context.WithTimeout(within(t), patience)
	defer cancel()
	began := time.Now()
	require.NoError(t, s.Stop(ctx))
	require.Less(t, time.Since(began), 4*time.Second)
	for range 3 {
		err := <-ended
		require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCStopped), textOf(err))
	}
	require.Equal(t, stopped, nextLine(t, watch))
	require.Equal(t, stopped, nextLine(t, overGateway))
	_, err = watch.ReadByte()
	require.Equal(t, io.EOF, err)
	_, message, err = socket.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, stopped, uniform(message))
}

// Watches over websockets go both ways.
func TestGatewayWebsocket(t *testing.T) {
	z := memzk.New()
	l := listenReal(t, z, server.Config{}, "http://127.0.0.1:0")[0]
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	socket, _, err := websocket.DefaultDialer.Dial("ws://"+l.Addr().String()+"/v3/watch", nil)
	require.NoError(t, err)
	defer socket.Close()
	say := func(text string) { require.NoError(t, socket.WriteMessage(websocket.TextMessage, []byte(text))) }
	hear := func(want string) {
		t.Helper()
		_, message, err := socket.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, `{"result":{"header":{"cluster_id":"*","member_id":"*",`+want, uniform(message))
	}
	say(`{"create_request":{"key":"Zm9v"}}`)
	hear(`"revision":"1","raft_term":"*"},"created":true}}`)
	putKey(t, pb.NewKVClient(conn), "foo", "bar")
	hear(`"revision":"2","raft_term":"*"},"events":[{"kv":{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"}}]}}`)
	say(`{"progress_request":{}}`)
	hear(`"revision":"2","raft_term":"*"},"watch_id":"-1"}}`)
	say(`{"cancel_request":{"watch_id":"0"}}`)
	hear(`"revision":"2","raft_term":"*"},"canceled":true}}`)
}

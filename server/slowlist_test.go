package server_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server"
)

var all = &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Serializable: true}

// TestListsThatAreNotReadTakeBoundedMemory: a client that asks for lists and does not
// read them keeps what is bounded, and others are answered: large reads after a while,
// for which such clients are ended.
func TestListsThatAreNotReadTakeBoundedMemory(t *testing.T) {
	const keys, valueBytes, lists = 64, 128 << 10, 60
	l := listenReal(t, memzk.New(), server.Config{MaxSendBytes: 32 * mib}, "http://127.0.0.1:0")[0]
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64*mib)))
	require.NoError(t, err)
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	for i := range keys {
		putKey(t, kv, fmt.Sprint("k", i), string(make([]byte, valueBytes)))
	}
	before := settled(t)
	clients := []*muteClient{newMuteClient(t, l.Addr().String()), newMuteClient(t, l.Addr().String()), newMuteClient(t, l.Addr().String())}
	for range lists / len(clients) {
		for _, c := range clients {
			require.True(t, c.send(c.call("/etcdserverpb.KV/Range"), endStream, framed(t, all)))
		}
	}
	for _, c := range clients {
		c.flush(t)
	}
	took := settled(t) - before
	t.Logf("%d lists of %d MiB: %d MiB", lists, keys*valueBytes/mib, took/mib)
	require.Less(t, took, int64(48*mib))

	_, err = kv.Range(within(t), &pb.RangeRequest{Key: []byte("k1")})
	require.NoError(t, err)
	resp, err := kv.Range(within(t), all)
	require.NoError(t, err)
	require.Len(t, resp.Kvs, keys)
}

// TestJSONThatIsNotReadTakesBoundedMemory: there is a bound for the JSON gateway too,
// whose answers are there as a whole before any of it is sent.
func TestJSONThatIsNotReadTakesBoundedMemory(t *testing.T) {
	const keys, valueBytes, lists = 64, 128 << 10, 40
	l := listenReal(t, memzk.New(), server.Config{MaxSendBytes: 64 * mib}, "http://127.0.0.1:0")[0]
	url := "http://" + l.Addr().String() + "/v3/kv/"
	value := base64.StdEncoding.EncodeToString(make([]byte, valueBytes))
	for i := range keys {
		resp, err := http.Post(url+"put", "application/json", strings.NewReader(fmt.Sprintf(`{"key":"%s","value":"%s"}`, base64.StdEncoding.EncodeToString([]byte{byte(i + 1)}), value)))
		require.NoError(t, err)
		resp.Body.Close()
	}
	defer http.DefaultClient.CloseIdleConnections()
	before := settled(t)
	for range lists {
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		body := `{"key":"AA==","range_end":"AA=="}`
		_, err = fmt.Fprintf(conn, "POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		require.NoError(t, err)
	}
	took := settled(t) - before
	t.Logf("%d lists: %d MiB", lists, took/mib)
	// What is refused is there for a moment, before it is: more than the bound.
	require.Less(t, took, int64(240*mib))
	resp, err := http.Post(url+"range", "application/json", strings.NewReader(`{"key":"eA=="}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// TestWatchersThatDoNotReadTakeBoundedMemory: what they have missed waits in the
// history, which is there once for all.
func TestWatchersThatDoNotReadTakeBoundedMemory(t *testing.T) {
	const watchers, events, valueBytes = 100, 20_000, 1 << 10
	l := listenReal(t, memzk.New(), server.Config{}, "http://127.0.0.1:0")[0]
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	value := make([]byte, valueBytes)
	for range events / 100 {
		r := &pb.TxnRequest{}
		for i := range 100 {
			r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
				RequestPut: &pb.PutRequest{Key: fmt.Append(nil, "k", i), Value: value}}})
		}
		_, err := kv.Txn(within(t), r)
		require.NoError(t, err)
	}
	before := settled(t)
	c := newMuteClient(t, l.Addr().String())
	for range watchers {
		stream := c.call("/etcdserverpb.Watch/Watch")
		require.True(t, c.send(stream, 0, framed(t, createWatch(&pb.WatchCreateRequest{
			Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1, PrevKv: true}))))
	}
	c.flush(t)
	took := settled(t) - before
	t.Logf("%d watchers: %d KiB each", watchers, took>>10/watchers)
	require.Less(t, took, int64(watchers*mib))
}

package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"
)

const (
	// largestGarbage is how many random bytes a connection carries at most.
	largestGarbage = 64 << 10
	// garbagePause is between two connections of a worker.
	garbagePause = 20 * time.Millisecond
	// answerPatience is how long a worker waits for the end of a connection that has said nonsense.
	answerPatience = 500 * time.Millisecond
	// trickleCount is how many connections trickle on each port.
	trickleCount = 200
	// tricklePause is between two headers.
	tricklePause = time.Second
	// headerSize is above what a server takes; gRPC's metadata has a size that etcd takes.
	headerSize   = 2 << 20
	metadataSize = 256 << 10
)

// ports are the three kinds that a server has.
func (j Job) ports() []string { return []string{j.Client, j.TLS, j.Metrics} }

// garbage sends random bytes to each port in turn.
func garbage(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, dialers, func(ctx context.Context, i int) error {
		source := randomness(j, i)
		random := rand.New(source)
		for turn := i; pause(ctx, garbagePause); turn++ {
			conn, err := dial(ctx, j.ports()[turn%3])
			if err != nil {
				t.add("refused", 1)
				continue
			}
			noise := make([]byte, 1+random.IntN(largestGarbage))
			_, _ = source.Read(noise) // never fails
			_ = conn.SetDeadline(time.Now().Add(answerPatience))
			n, _ := conn.Write(noise)
			t.add("bytes", int64(n))
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
			t.add("connections", 1)
		}
		return nil
	})
}

// slowHeaders begins requests of HTTP/1 on each port whose headers never end: one more each second.
func slowHeaders(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, 3*trickleCount, func(ctx context.Context, i int) error {
		conn, err := dial(ctx, j.ports()[i%3])
		if err != nil {
			t.add("refused", 1)
			return nil
		}
		defer conn.Close()
		t.add("opened", 1)
		_, err = fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: %s\r\n", conn.RemoteAddr())
		for n := 0; err == nil && pause(ctx, tricklePause); n++ {
			_, err = fmt.Fprintf(conn, "X-Header-%d: a\r\n", n)
		}
		if err != nil {
			t.add("ended by the server", 1)
		}
		return nil
	})
}

// largeHeaders sends requests with headers of 2 MiB to the ports that speak plaintext, and calls with much metadata.
func largeHeaders(ctx context.Context, j Job, t *Tally) error {
	large := strings.Repeat("a", headerSize)
	return workers(ctx, dialers, func(ctx context.Context, i int) error {
		if i%4 == 0 {
			return largeMetadata(ctx, j, t)
		}
		for turn := i; pause(ctx, garbagePause); turn++ {
			conn, err := dial(ctx, []string{j.Client, j.Metrics}[turn%2])
			if err != nil {
				t.add("refused", 1)
				continue
			}
			t.add("requests", 1)
			sayLarge(conn, large, t)
			conn.Close()
		}
		return nil
	})
}

// sayLarge sends one request, and counts the answer by its status.
func sayLarge(conn net.Conn, large string, t *Tally) {
	_ = conn.SetDeadline(time.Now().Add(answerPatience))
	n, _ := fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: a\r\nX-Large: %s\r\n\r\n", large)
	t.add("bytes", int64(n))
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, answer); err == nil && bytes.HasPrefix(answer, []byte("HTTP/1.1 ")) {
		t.add("status "+string(answer[len("HTTP/1.1 "):]), 1)
	} else {
		t.add("ended by the server", 1)
	}
}

// largeMetadata makes calls with as much metadata as a client may send.
func largeMetadata(ctx context.Context, j Job, t *Tally) error {
	conn, err := dialGRPC(j)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-large", strings.Repeat("a", metadataSize))
	for pause(ctx, garbagePause) {
		_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("a"), Serializable: true})
		answered(ctx, t, err)
	}
	return nil
}

// oneConnection is an HTTP client that has no more than one connection, and ends with it.
func oneConnection() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableKeepAlives: true}}
}

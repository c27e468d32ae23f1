package load

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/conformance/bench/load/wiregrpc"
)

// frame is a request in its wire form.
type frame []byte

// conns are connections to one server, over which clients are spread.
type conns []*wiregrpc.Conn

// connect opens them; a client beyond most shares one. kube-apiserver has a connection for each resource that it
// serves, over a hundred.
func connect(ctx context.Context, endpoint string, clients, most int) (conns, error) {
	var all conns
	for range max(1, min(clients, most)) {
		conn, err := wiregrpc.Dial(ctx, endpoint)
		if err != nil {
			return all, err
		}
		all = append(all, conn)
		if err := call(ctx, conn, rangeMethod, readyRequest, &rangeReply{}); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (c conns) of(client int) *wiregrpc.Conn { return c[client%len(c)] }

func (c conns) close() {
	for _, conn := range c {
		conn.Close()
	}
}

// call makes one request. The frame may be used again when it returns.
func call(ctx context.Context, conn *wiregrpc.Conn, method string, request frame, reply wiregrpc.Scanner) error {
	if err := conn.Invoke(ctx, method, request, reply); err != nil {
		return fmt.Errorf("%s is refused: %w", method, err)
	}
	return nil
}

// leaderRequired is what kube-apiserver demands for its watches.
var leaderRequired = []string{"hasleader", "true"}

package v3rpc

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
)

// observeClient is the stream of a client that takes a leader when the test says so.
type observeClient struct {
	v3electionpb.Election_ObserveServer
	take chan *v3electionpb.LeaderResponse
	gone chan struct{}
}

var errGone = errors.New("gone")

func (c observeClient) Send(l *v3electionpb.LeaderResponse) error {
	select {
	case c.take <- l:
		return nil
	case <-c.gone:
		return errGone
	}
}

// TestAnObserverThatDoesNotReadIsGivenUp: what waits for it is bounded in number and in
// bytes, and a leader of any size may wait alone.
func TestAnObserverThatDoesNotReadIsGivenUp(t *testing.T) {
	for _, c := range []struct{ bytes, waiting int }{{0, observedMax}, {1 << 20, 15}, {100 << 20, 1}} {
		client := observeClient{take: make(chan *v3electionpb.LeaderResponse), gone: make(chan struct{})}
		o := newObserver(context.Background(), client)
		sent := 0
		var err error
		for err == nil {
			l := &v3electionpb.LeaderResponse{Kv: &mvccpb.KeyValue{Value: make([]byte, c.bytes), Version: int64(sent)}}
			if err = o.Send(l); err == nil {
				sent++
			}
		}
		require.ErrorIs(t, err, errObserverStalled)
		require.Equal(t, c.waiting, sent)
		close(o.queue)
		delivered := make(chan error, 1)
		go func() { delivered <- o.deliver() }()
		for i := range sent {
			require.EqualValues(t, i, (<-client.take).Kv.Version)
		}
		require.NoError(t, <-delivered)
	}
}

func TestAnObserverThatIsGoneEnds(t *testing.T) {
	client := observeClient{gone: make(chan struct{})}
	close(client.gone)
	o := newObserver(context.Background(), client)
	require.NoError(t, o.Send(&v3electionpb.LeaderResponse{}))
	require.ErrorIs(t, o.deliver(), errGone)
}

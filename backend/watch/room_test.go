package watch

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestAClientThatDoesNotReadIsNotListenedTo: answers that wait for Next are
// bounded, whatever asks for them.
func TestAClientThatDoesNotReadIsNotListenedTo(t *testing.T) {
	b := newStore(t)
	asks := map[string]func(s backendWatch, i int){
		"create":   func(s backendWatch, i int) { s.Create(&pb.WatchCreateRequest{Key: []byte("k")}) },
		"refuse":   func(s backendWatch, i int) { s.Refuse("no") },
		"progress": func(s backendWatch, i int) { s.RequestProgress() },
		"cancel": func(s backendWatch, i int) {
			s.Create(&pb.WatchCreateRequest{Key: []byte("k"), WatchId: int64(i + 1000)})
			s.Cancel(int64(i + 1000))
		},
	}
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			s := watch(t, b, &pb.WatchCreateRequest{Key: []byte("first")})
			asked := 0
			for ctx := context.Background(); s.Room(ctx) == nil; asked++ {
				require.Less(t, asked, 20)
				ask(s, asked)
				if asked == 4 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
					defer cancel()
				}
			}
			// What waited is there, and then there is room.
			for range maxReplies {
				next(t, s)
			}
			require.NoError(t, s.Room(within(t)))
		})
	}
	t.Run("close", func(t *testing.T) {
		s := b.Open()
		for range maxReplies {
			s.Refuse("no")
		}
		done := make(chan error)
		go func() { done <- s.Room(within(t)) }()
		s.Close()
		require.NoError(t, <-done)
	})
}

type backendWatch interface {
	Create(*pb.WatchCreateRequest)
	Refuse(string)
	Cancel(int64)
	RequestProgress()
}

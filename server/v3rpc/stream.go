package v3rpc

import (
	"context"
	"errors"
	"io"
	"sync"
)

// inbox is what a client sends on a stream, on a channel, so that its reader
// can wait for other things too.
type inbox[T any] struct {
	// requests is closed when the client has ended its side, or the stream
	// is broken.
	requests chan *T
	// err says why requests was closed, nil for a client that is done. It may
	// be read once requests is closed.
	err error
}

// receive starts a reader of the stream. It ends with the stream, which is
// shortly after the handler has returned, at the latest. readers counts it.
func receive[T any](ctx context.Context, readers *sync.WaitGroup, recv func() (*T, error)) *inbox[T] {
	in := &inbox[T]{requests: make(chan *T)}
	readers.Go(func() {
		defer close(in.requests)
		for {
			r, err := recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					in.err = err
				}
				return
			}
			select {
			case in.requests <- r:
			case <-ctx.Done():
				in.err = ctx.Err()
				return
			}
		}
	})
	return in
}

package zkclient

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// hungConn answers no call before its context ends.
type hungConn struct{ Conn }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (hungConn) Multi(ctx context.Context, _ ...any) ([]zk.MultiResponse, error) {
	return nil, hang(ctx)
}
func (hungConn) Get(ctx context.Context, _ string) ([]byte, *zk.Stat, error) {
	return nil, nil, hang(ctx)
}
func (hungConn) GetW(ctx context.Context, _ string) (Watched, error)      { return Watched{}, hang(ctx) }
func (hungConn) Children(ctx context.Context, _ string) ([]string, error) { return nil, hang(ctx) }
func (hungConn) Exists(ctx context.Context, _ string) (*zk.Stat, error)   { return nil, hang(ctx) }

// TestEveryCallIsTimed: the silence of a server is seen whichever call it does
// not answer. The methods are those of Conn that take a context, so that one
// that is added later is not forgotten.
func TestEveryCallIsTimed(t *testing.T) {
	methods := reflect.TypeFor[Conn]()
	ctxType := reflect.TypeFor[context.Context]()
	timed := 0
	for m := range methods.Methods() {
		if m.Type.NumIn() == 0 || m.Type.In(0) != ctxType {
			continue
		}
		timed++
		c := newTimedConn(hungConn{}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		args := []reflect.Value{reflect.ValueOf(ctx)}
		for i := 1; i < m.Type.NumIn() && !m.Type.IsVariadic(); i++ {
			args = append(args, reflect.Zero(m.Type.In(i)))
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			reflect.ValueOf(c).MethodByName(m.Name).Call(args)
		}()
		require.Eventually(t, func() bool { return c.silence() > 0 && c.owing() > 0 }, 10*time.Second, time.Millisecond, m.Name)
		cancel()
		<-done
		require.Zero(t, c.silence(), m.Name)
	}
	require.Equal(t, 5, timed)
}

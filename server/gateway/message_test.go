package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// bodyOf is a request's body with bounds; ctx is the request's context.
func bodyOf(t *testing.T, in io.Reader, limit int64, all *reading) (b *body, ctx context.Context) {
	r, done := bounded(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", in), limit, all)
	t.Cleanup(done)
	return r.Body.(*body), r.Context()
}

func put(valueBytes int) string {
	return fmt.Sprintf(`{"key":"aw==","value":"%s"}`, strings.Repeat("AAAA", valueBytes/3))
}

func decodeAll(b *body) (sizes []int, err error) {
	d := (&marshaler{}).NewDecoder(b)
	for {
		var r pb.PutRequest
		if err := d.Decode(&r); err != nil {
			return sizes, err
		}
		sizes = append(sizes, len(r.Value))
	}
}

func TestEachMessageOfABodyIsBounded(t *testing.T) {
	const limit = 1 << 20
	all := &reading{max: maxReading}
	for _, c := range []struct {
		name, in string
		sizes    []int
		err      error
	}{
		{"small", put(3) + put(6), []int{3, 6}, io.EOF},
		{"many that are small", strings.Repeat(put(3000), 1000), nil, io.EOF},
		{"large and small in turns", put(600_000) + put(3) + put(600_000) + put(6), []int{600_000, 3, 600_000, 6}, io.EOF},
		{"too large", put(900_000) + put(3), []int{}, rpctypes.ErrGRPCRequestTooLarge},
		{"too large, second", put(3) + put(900_000), []int{3}, rpctypes.ErrGRPCRequestTooLarge},
		{"blanks without end", put(3) + strings.Repeat(" ", 2<<20) + put(3), []int{3}, rpctypes.ErrGRPCRequestTooLarge},
		{"unknown field", `{"x":"` + strings.Repeat("A", 2<<20) + `"}`, []int{}, rpctypes.ErrGRPCRequestTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, ctx := bodyOf(t, strings.NewReader(c.in), limit, all)
			sizes, err := decodeAll(b)
			require.ErrorIs(t, err, c.err)
			if c.sizes != nil {
				require.Equal(t, c.sizes, append([]int{}, sizes...))
			}
			if c.err != io.EOF {
				require.Equal(t, c.err, refused(ctx))
			} else {
				require.NoError(t, refused(ctx))
			}
		})
	}
	t.Run("given back", func(t *testing.T) { require.Zero(t, all.bytes.Load()) })
}

// TestMessagesThatAreReadAtOnceAreBounded: a large one is refused while others take the
// room, a small one never is.
func TestMessagesThatAreReadAtOnceAreBounded(t *testing.T) {
	all := &reading{max: 3 << 20}
	half, more := io.Pipe()
	b, _ := bodyOf(t, half, 1<<20, all)
	decoded := make(chan error)
	go func() {
		_, err := decodeAll(b)
		decoded <- err
	}()
	message := put(300_000)
	_, err := io.WriteString(more, message[:390_000]) // when it returns, it was read
	require.NoError(t, err)
	other, ctx := bodyOf(t, strings.NewReader(put(450_000)), 1<<20, all)
	_, err = decodeAll(other)
	require.ErrorIs(t, err, rpctypes.ErrGRPCRequestTooManyRequests)
	require.Equal(t, rpctypes.ErrGRPCRequestTooManyRequests, refused(ctx))
	small, _ := bodyOf(t, strings.NewReader(put(3)+put(3)), 1<<20, all)
	sizes, err := decodeAll(small)
	require.ErrorIs(t, err, io.EOF)
	require.Len(t, sizes, 2)

	_, err = io.WriteString(more, message[390_000:])
	require.NoError(t, err)
	more.Close()
	require.ErrorIs(t, <-decoded, io.EOF)
}

// TestALargeMessageHasItsTime: one that counts has to come, the pause before the next
// one may be long.
func TestALargeMessageHasItsTime(t *testing.T) {
	var deadlines []bool
	b, _ := bodyOf(t, strings.NewReader(put(300_000)+put(3)+put(300_000)), 1<<20, &reading{max: maxReading})
	b.deadline = func(to time.Time) error {
		deadlines = append(deadlines, !to.IsZero())
		return nil
	}
	_, err := decodeAll(b)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []bool{true, false, true, false}, deadlines)
}

// TestDeeplyNestedMessagesAreRefused: JSON may be nested without end, and memory of a
// call's stack goes with it.
func TestDeeplyNestedMessagesAreRefused(t *testing.T) {
	const deep = 20_000
	for _, in := range []string{
		strings.Repeat(`{"x":`, deep) + "1" + strings.Repeat("}", deep),
		strings.Repeat(`[`, deep) + strings.Repeat("]", deep),
	} {
		b, _ := bodyOf(t, strings.NewReader(in), 1<<20, &reading{max: maxReading})
		_, err := decodeAll(b)
		require.ErrorContains(t, err, "exceeded max depth")
	}
}

package clients

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// isolations are those of software transactional memory, the strictest first.
var isolations = map[string]concurrency.Isolation{
	"SerializableSnapshot": concurrency.SerializableSnapshot,
	"Serializable":         concurrency.Serializable,
	"RepeatableReads":      concurrency.RepeatableReads,
	"ReadCommitted":        concurrency.ReadCommitted,
}

// TestSTM is what a single transaction may expect, whatever its isolation.
func TestSTM(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		for name, isolation := range isolations {
			a, b, gone := name+"/a", name+"/b", name+"/gone"
			put(t, c, a, "1")
			put(t, c, gone, "")
			resp, err := concurrency.NewSTM(c, func(s concurrency.STM) error {
				if s.Get(a) != "1" || s.Get(b) != "" || s.Get(a, b) != "1" || s.Rev(b) != 0 || s.Rev(a) == 0 {
					return fmt.Errorf("reads %q and %q", s.Get(a), s.Get(b))
				}
				s.Put(a, "2")
				s.Put(b, s.Get(a)+"!")
				s.Del(gone)
				return nil
			}, concurrency.WithIsolation(isolation), concurrency.WithAbortContext(within(t)), concurrency.WithPrefetch(a, b))
			require.NoError(t, err)
			require.True(t, resp.Succeeded)
			require.Equal(t, a+"=2 "+b+"=2!", get(t, c, name+"/", clientv3.WithPrefix()))

			mine := errors.New("of the transaction")
			_, err = concurrency.NewSTM(c, func(s concurrency.STM) error {
				s.Put(a, "3")
				return mine
			}, concurrency.WithIsolation(isolation))
			require.ErrorIs(t, err, mine)
			require.Equal(t, a+"=2", get(t, c, a))
		}
	})
}

// TestSTMConflicts runs transactions against each other. But for ReadCommitted, none commits what it computed from
// something that has changed.
func TestSTMConflicts(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		const workers, rounds = 4, 8
		for name, isolation := range isolations {
			var wg sync.WaitGroup
			failures := make(chan error, workers)
			for range workers {
				wg.Go(func() {
					for range rounds {
						if _, err := concurrency.NewSTM(c, countTwice(name), concurrency.WithIsolation(isolation)); err != nil {
							failures <- err
							return
						}
					}
				})
			}
			wg.Wait()
			close(failures)
			require.NoError(t, <-failures)
			got := get(t, c, name+"/", clientv3.WithPrefix())
			if isolation == concurrency.ReadCommitted {
				var a, b int
				_, err := fmt.Sscanf(got, name+"/a=%d "+name+"/b=%d", &a, &b)
				require.NoError(t, err)
				require.Equal(t, a, b, "one transaction is atomic all the same")
				require.LessOrEqual(t, a, workers*rounds)
				continue
			}
			require.Equal(t, fmt.Sprintf("%[1]s/a=%[2]d %[1]s/b=%[2]d", name, workers*rounds), got)
		}
	})
}

// countTwice writes what it reads, plus one, to two keys.
func countTwice(prefix string) func(concurrency.STM) error {
	return func(s concurrency.STM) error {
		n, err := strconv.Atoi("0" + s.Get(prefix+"/a"))
		if err != nil {
			return err
		}
		s.Put(prefix+"/a", strconv.Itoa(n+1))
		s.Put(prefix+"/b", strconv.Itoa(n+1))
		return nil
	}
}

// TestSTMWriteSkew has pairs of transactions that each read both keys and take one away, as long as two are left. One
// must remain: SerializableSnapshot and Serializable notice what the other did.
func TestSTMWriteSkew(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		for _, isolation := range []concurrency.Isolation{concurrency.SerializableSnapshot, concurrency.Serializable} {
			for range 10 {
				put(t, c, "skew/0", "here")
				put(t, c, "skew/1", "here")
				var wg sync.WaitGroup
				failures := make([]error, 2)
				for i := range failures {
					wg.Go(func() {
						_, failures[i] = concurrency.NewSTM(c, func(s concurrency.STM) error {
							if s.Get("skew/0") != "" && s.Get("skew/1") != "" {
								s.Del(fmt.Sprint("skew/", i))
							}
							return nil
						}, concurrency.WithIsolation(isolation))
					})
				}
				wg.Wait()
				require.NoError(t, errors.Join(failures...))
				require.Equal(t, int64(1), count(t, c, "skew/"))
			}
		}
	})
}

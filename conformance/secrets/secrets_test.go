package secrets

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNothingTellsSecrets plants all of them, and looks everywhere.
func TestNothingTellsSecrets(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var flags []string
			flag, signing, key := tokenFlag(t)
			if format == "json" { // and simple tokens in the other
				flags = append(flags, flag)
			}
			s := startSite(t, format, flags...)
			if format == "json" {
				s.signing = signing
				s.secrets = append(s.secrets, key)
			}
			s.enableAuth()
			for _, p := range slices.Concat(values, refused, credentialsOf, overHTTP) {
				s.Log(p.class)
				p.into(s, s.secret(p.class))
			}
			places := slices.Concat(s.askAll(), s.processes(map[string]int{"zkine": s.z.Pid(), "ZooKeeper": s.zooKeeper()}))
			code, err := s.z.Stop(within(t))
			require.NoError(t, err)
			require.Zero(t, code)
			places = append(append(places, s.files()...), s.zooKeeperLog())
			log := s.z.Output()
			s.search(append(places,
				place{"zkine's log", "serving etcd clients", []byte(log)},
				place{"answers to others", "permission denied", []byte(s.told.String())})...)
			s.noLineNamesAKey(log)
		})
	}
}

// noLineNamesAKey has the folder of a key in the lines about slow requests and in no others, and no key in any.
func (s *site) noLineNamesAKey(log string) {
	s.Helper()
	named := 0
	for line := range strings.Lines(log) {
		if strings.Contains(line, "a/slow-folder") {
			named++
			require.Contains(s, line, "slow request")
		}
		for _, key := range []string{"slow-key", "a/slow-txn", "a/value", "a/denied", "b/denied", "a/json", "a/large", "a/leased"} {
			require.NotContains(s, line, key)
		}
	}
	require.Positive(s, named)
}

// await does something again and again until zkine has logged a line that matches.
func (s *site) await(pattern string, again func()) (match []string, err error) {
	ctx := within(s.T)
	for ctx.Err() == nil {
		again()
		soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		match, err = s.z.Await(soon, pattern)
		cancel()
		if err == nil {
			return match, nil
		}
	}
	return nil, err
}

package doctor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzAnswers takes apart whatever a server, or what listens in its place, answers.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		"Zookeeper version: 3.9.6-x, built on 2026\nMode: leader\n", "zk_version\t3.9.6\nzk_cnt_fsynctime\t1e400\n", "server.1=a:1:2:observer;2181\n",
		"count=5,bytes=-1=;byteHardLimit=10;countHardLimit=20", "a: b=c\\\n", "=\n:\n\t\n", "os.memory.max=999999999999999999999MB\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name := range parseZooCfg(text) {
			require.NotContains(t, name, "\n")
		}
		for _, n := range parseQuota(text) {
			require.GreaterOrEqual(t, n, int64(0))
		}
		a := parseAnswer(text)
		require.True(t, (a.values == nil) == (a.err != nil))
		s := &server{words: map[string]answer{"srvr": a, "mntr": a, "conf": a, "envi": a}}
		p := &patient{servers: []*server{s}, cfg: Config{Quota: 1 << 20, MaxRequest: 1 << 20}}
		for _, c := range []func() []Finding{
			func() []Finding { return versions(t.Context(), p) }, func() []Finding { return words(t.Context(), p) },
			func() []Finding { return ensemble(t.Context(), p) }, func() []Finding { return connections(t.Context(), p) },
			func() []Finding { return heap(t.Context(), p) }, func() []Finding { return disk(t.Context(), p) },
			func() []Finding { return []Finding{judgeServer(s)} },
		} {
			for _, found := range c() {
				require.NotEmpty(t, found.What)
			}
		}
	})
}

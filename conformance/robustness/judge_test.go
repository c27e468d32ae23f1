package robustness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/tests/v3/robustness/validate"
	"go.uber.org/zap"
)

// TestTheJudgesJudge has them judge a true history, which they must accept, and
// what corruptions make of it, which they must not.
func TestTheJudgesJudge(t *testing.T) {
	t.Logf("seed %d", *seedFlag)
	s := Scenario{Kind: EtcdLeases, Zkines: 2, ZooKeepers: 1, Faults: []Fault{Calm, Calm}}
	r := Run(t, quietly(t), program, s, *seedFlag)
	folder := t.TempDir()
	v := Judge(zap.NewNop(), r.Case, judgeTimeout)
	t.Log(&v)
	require.NoError(t, v.Error())
	require.NoError(t, Save(zap.NewNop(), folder, r.Case, &v, r.Logs))

	load := func(t *testing.T) Case {
		c, err := Load(folder)
		require.NoError(t, err)
		return c
	}
	t.Run("a saved case is judged alike", func(t *testing.T) {
		saved := Judge(zap.NewNop(), load(t), judgeTimeout)
		require.NoError(t, saved.Error())
		require.Equal(t, v.Counts, saved.Counts)
	})
	for _, c := range corruptions {
		t.Run(c.name, func(t *testing.T) {
			spoilt := load(t)
			require.True(t, c.do(&spoilt), "nothing in the history could be corrupted so")
			v := Judge(zap.NewNop(), spoilt, judgeTimeout)
			require.Error(t, v.Error())
			if c.by != byWatch || v.Panic == nil {
				require.Contains(t, blamed(&v), c.by, "the judges say: %v", v.Error())
				require.Contains(t, blamed(&v)[c.by], c.why, "the judges say: %v", v.Error())
			} else {
				require.Empty(t, c.why, "the judges say: %v", v.Error())
				require.ErrorContains(t, v.Panic, "higher than observed in replay")
			}
			require.NoError(t, draw(t.TempDir()+"/history.html", &v))
		})
	}
	t.Run("judges that are not asked are no judges", func(t *testing.T) {
		c := load(t)
		c.Requests = nil
		v := Judge(zap.NewNop(), c, judgeTimeout)
		require.NoError(t, v.RobustnessResult.Error(), "etcd's code lets this pass")
		require.ErrorContains(t, v.Error(), "watch: not judged")
		require.ErrorContains(t, v.Error(), "serializable: not judged")
	})
	t.Run("nothing to watch is no proof", func(t *testing.T) {
		c := load(t)
		for i := range c.Reports {
			c.Reports[i].Watch = nil
		}
		v := Judge(zap.NewNop(), c, judgeTimeout)
		require.ErrorContains(t, v.Error(), "there were no events to be judged")
	})
	t.Run("who is not given the time does not decide", func(t *testing.T) {
		v := Judge(zap.NewNop(), load(t), time.Nanosecond)
		require.True(t, v.Undecided)
		require.NoError(t, v.Error())
		require.Contains(t, v.String(), "DID NOT DECIDE")
		require.Equal(t, validate.Success, v.Watch.Status)

		c := load(t)
		require.True(t, dropEvent(&c))
		v = Judge(zap.NewNop(), c, time.Nanosecond)
		require.ErrorContains(t, v.Error(), "broke Reliable")
		for i, corrupt := range []func(*Case) bool{
			staleRead, inventedRead, shiftedWrite, failedTxn, wrongOldRead, loseWrite, repeatWrite, inventWrite, swapWrites,
		} {
			c := load(t)
			require.True(t, corrupt(&c))
			require.Error(t, CheckWitness(c), "corruption %d", i)
		}
	})
	t.Run("an event from the future makes a judge panic", func(t *testing.T) {
		c := load(t)
		for i := range c.Reports {
			for j := range c.Reports[i].Watch {
				for k := range c.Reports[i].Watch[j].Responses {
					for l := range c.Reports[i].Watch[j].Responses[k].Events {
						c.Reports[i].Watch[j].Responses[k].Events[l].Revision += 1_000_000
					}
				}
			}
		}
		v := Judge(zap.NewNop(), c, judgeTimeout)
		require.Error(t, v.Error())
	})
}

// blamed is which judge found what.
func blamed(v *Verdict) map[string]string {
	found := map[string]string{}
	for by, result := range map[string]validate.Result{
		byAssumptions: v.Assumptions, byLinearization: v.Linearization.Result,
		byWatch: v.Watch, byOldReads: v.Serializable,
	} {
		if result.Status == validate.Failure {
			found[by] = result.Message
		}
	}
	return found
}

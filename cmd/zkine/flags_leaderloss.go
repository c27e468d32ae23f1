package main

import (
	"time"

	"github.com/spf13/pflag"
)

// How long streams of clients that asked for a leader wait for ZooKeeper to have
// one, until they are ended. etcd ends them after three of its election
// timeouts, 3 s, within which its own elections are over. ZooKeeper's take
// longer: at its usual tickTime of 2 s and syncLimit of 5, followers notice a
// leader that is frozen or cut off after 10 s, and have a new one a second or
// two later; then zkine needs a session there. One that is killed costs a few
// seconds. Three times the 10 s leave room for a slow machine, a second round
// of the election and a snapshot that a follower has to load.
//
// To end a stream too early costs much: kube-apiserver goes on from where a
// watch ended only for 30 s after the first such end in a minute, and rebuilds
// the cache after that, for each kind of object. To end it too late costs
// nothing but that a client of several zkines stays on one that is cut off
// alone; its calls are refused at once all the same.

// minLeaderLoss is the least default; lossSessions is how many session timeouts
// the default is, where they are long because the ensemble is slow.
const (
	minLeaderLoss = 30 * time.Second
	lossSessions  = 3

	maxLeaderLoss = time.Hour
)

// leaderLoss is the flag's value; 0 stands for the default.
type leaderLoss time.Duration

func (l *leaderLoss) bind(f *pflag.FlagSet) {
	f.DurationVar((*time.Duration)(l), "leader-loss-timeout", 0,
		"how long ZooKeeper may be without a leader, or away, until watches that asked for one are ended (default: 3 session timeouts, at least 30s)")
}

func (l leaderLoss) check(v *checker) {
	if l != 0 {
		v.between("leader-loss-timeout", int64(l), int64(time.Second), int64(maxLeaderLoss),
			func(n int64) string { return time.Duration(n).String() })
	}
}

// or is the timeout, with the default for sessions of a length.
func (l leaderLoss) or(session time.Duration) time.Duration {
	if l != 0 {
		return time.Duration(l)
	}
	return max(minLeaderLoss, lossSessions*session)
}

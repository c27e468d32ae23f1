package robustness

import (
	"os"
	"strconv"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// SessionTimeout is the zkines' with ZooKeeper: the shortest that zkine takes,
// so that outlasting it takes least time. In a network of its own, where seven
// processes and all packets share the machine, it is longer.
var SessionTimeout = func() time.Duration {
	if inNamespaces() {
		return 2 * time.Second
	}
	return time.Second
}()

// Zkine is a member, as a process that is killed, frozen and started again on
// the same ports. One goroutine uses it.
type Zkine struct {
	*rig.Zkine
	// clock is the file with how far its clock is off, for one built by
	// buildStepped.
	clock string
}

// busyFlags make a zkine go on to a new segment after every few slots, pack the
// one before, and checkpoint and trim the log whenever it holds some seconds'
// traffic. The observer must not fall behind by as much.
var busyFlags = []string{"--log-segment-slots=32", "--checkpoint-log-bytes=8192"}

// newZkine prepares a member that is not running yet, with flags besides those
// that all have. It runs in the node, if there is one.
func newZkine(c rig.ZkineConfig, node *Node, flags ...string) (*Zkine, error) {
	clock := c.Log + ".clock"
	c.DataDir, c.Env = c.Log+".remembered", []string{clockEnv + "=" + clock}
	c.Args = append([]string{
		"--zookeeper-session-timeout=" + SessionTimeout.String(),
		"--watch-progress-notify-interval=100ms", // etcd's robustness tests have it so
	}, flags...)
	if node != nil {
		c.Host, c.StartIn = node.Host(), node.Start
	}
	z, err := rig.NewZkine(c)
	return &Zkine{z, clock}, err
}

// StepClock sets how far the clock of a zkine built by buildStepped is off.
func (z *Zkine) StepClock(by time.Duration) error {
	return os.WriteFile(z.clock, []byte(strconv.Itoa(int(by/time.Second))), 0o644)
}

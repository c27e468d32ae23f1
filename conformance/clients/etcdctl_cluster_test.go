package clients

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestEtcdctlAlarm shows and disarms alarms; no command of etcdctl raises one.
func TestEtcdctlAlarm(t *testing.T) {
	const full = `
$ etcdctl alarm list | tr -s " "
memberID:<member> alarm:NOSPACE
$ etcdctl put k w
Error: etcdserver: mvcc: database space exceeded
[exit 1]
$ etcdctl lease grant 60
Error: failed to grant lease (etcdserver: mvcc: database space exceeded)
[exit 1]
$ etcdctl lease grant 10000000000
Error: failed to grant lease (etcdserver: mvcc: database space exceeded)
[exit 1]
$ etcdctl get k
k
v
$ etcdctl endpoint health 2>&1 | sed 's/ *$//'
<endpoint> is unhealthy: failed to commit proposal: Active Alarm(s): NOSPACE
Error: unhealthy cluster
$ etcdctl endpoint status | sed 's/.*memberID/memberID/' | tr -s " "
memberID:<member> alarm:NOSPACE, , false
$ etcdctl del k
1
$ etcdctl compact 3
compacted revision 3
$ etcdctl alarm disarm | tr -s " "
memberID:<member> alarm:NOSPACE
$ etcdctl alarm list
$ etcdctl alarm disarm
$ etcdctl put k w
OK
$ etcdctl endpoint health
<endpoint> is healthy: successfully committed proposal: took = <>`
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		put(t, c, "k", "v")
		status, err := c.Status(within(t), endpoint)
		require.NoError(t, err)
		_, err = pb.NewMaintenanceClient(c.ActiveConnection()).Alarm(within(t), &pb.AlarmRequest{
			Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: status.Header.MemberId,
		})
		require.NoError(t, err)
		play(t, endpoint, transcript(t, full[1:]))
	})
}

// TestEtcdctlCluster asks two zkines on one root about the cluster that they are.
func TestEtcdctlCluster(t *testing.T) {
	t.Parallel()
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	one := rigtest.StartOn(t, zookeeper, root, "--name=one", patient)
	two := rigtest.StartOn(t, zookeeper, root, "--name=two", patient)
	script := fmt.Sprintf(`
$ etcdctl member list
<one>, started, one, http://%[1]s, http://%[1]s, false
<two>, started, two, http://%[2]s, http://%[2]s, false
$ etcdctl put k v
OK
$ ETCDCTL_ENDPOINTS=%[2]s etcdctl get k
k
v
$ etcdctl endpoint health --cluster | grep -c ' is healthy: '
2
$ etcdctl endpoint hashkv --cluster
http://%[1]s, <hash>, 2
http://%[2]s, <hash>, 2
$ etcdctl endpoint status --cluster | cut -d, -f1,2,3,4,9,10
http://%[1]s, <one>, 3.7.3, 3.7.0, true, false
http://%[2]s, <two>, 3.7.3, 3.7.0, false, false
$ etcdctl defrag --cluster
Finished defragmenting etcd member[http://%[1]s]. took <>
Finished defragmenting etcd member[http://%[2]s]. took <>
$ ETCDCTL_ENDPOINTS=%[2]s etcdctl move-leader <two>
Error: no leader endpoint given at [%[2]s]
[exit 128]
$ etcdctl move-leader <one>
Leadership transferred from <one> to <one>
$ ETCDCTL_ENDPOINTS=%[2]s,%[1]s etcdctl move-leader <two>
Error: rpc error: code = Unimplemented desc = zkine: MoveLeader is not supported: members are equal, and the longest-running one does the housekeeping; restart this member to pass it on
[exit 1]`, one.Endpoint, two.Endpoint)
	play(t, one.Endpoint, transcript(t, script[1:]))
}

package monitoring

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zktest"
)

// TestMembersDown takes one zkine of three away, then two, then all. One is enough to serve: what etcd's
// etcdInsufficientMembers calls critical is no outage here, and the adapted mixin leaves it out.
func TestMembersDown(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 3)
	w.minutes(20, w.work)
	w.hasBeenQuiet()
	stop := func(i int) {
		w.zkines[i].Kill()
		w.clients = w.clients[:i]
	}
	stop(2)
	w.minutes(25, w.work)
	w.fires([]string{"ZkineIsDown"}, []string{"etcdMembersDown"})
	stop(1)
	w.minutes(5, w.work)
	w.fires([]string{"ZkineIsDown"}, []string{"etcdInsufficientMembers", "etcdMembersDown"})
	require.NoError(t, w.promtool.Firing(t.Context(), w.adapted, w.recorder, w.recorder.Now(), false, "etcdMembersDown"))
	stop(0)
	w.minutes(3, nil)
	w.fires([]string{"ZkineIsAway", "ZkineIsDown"}, []string{"etcdInsufficientMembers", "etcdMembersDown"})
}

// TestZooKeeperIsAway takes ZooKeeper away from a zkine, and has clients write all the same. 600 writes a minute are more
// than the 5 a second that the mixin asks for.
func TestZooKeeperIsAway(t *testing.T) {
	needsAll(t)
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	w := newWorld(t, proxy.Addr(), 1, "--leader-loss-timeout=1s")
	w.minutes(20, w.work)
	leading := w.clients[0].Watch(clientv3.WithRequireLeader(t.Context()), "key-")
	lease, err := concurrency.NewSession(w.clients[0])
	require.NoError(t, err)
	w.hasBeenQuiet()
	proxy.Refuse()
	proxy.CutAll()
	require.Eventually(t, func() bool {
		select {
		case response, open := <-leading:
			return !open || response.Err() != nil
		default:
			return false
		}
	}, patience, 10*time.Millisecond)
	require.Positive(t, scrape(t, w.zkines[0].Metrics).Samples["zkine_streams_ended_without_leader_total{}"])
	w.minutes(40, func(context.Context) { w.tryPuts(w.clients[0], 600, 200*time.Millisecond) })
	w.amongThem([]string{"ZkineHasNoZooKeeper", "ZkineWritesFail"},
		[]string{"etcdHighNumberOfFailedGRPCRequests", "etcdHighNumberOfFailedProposals", "etcdNoLeader"})
	lease.Orphan()
}

// TestZooKeeperIsSlow has each of its answers come late. The 99th percentiles of a minute are those of some calls.
func TestZooKeeperIsSlow(t *testing.T) {
	needsAll(t)
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	w := newWorld(t, proxy.Addr(), 1)
	w.minutes(20, w.work)
	w.hasBeenQuiet()
	proxy.Delay(zktest.ToClient, 1200*time.Millisecond)
	w.minutes(16, w.workThrough)
	w.amongThem([]string{"ZkineReadsAreSlow", "ZkineWritesAreSlow", "ZooKeeperAnswersSlowly"},
		[]string{"etcdGRPCRequestsSlow", "etcdHighCommitDurations", "etcdHighFsyncDurations"})
	require.NoError(t, w.promtool.Evaluates(t.Context(), w.mixin, w.recorder, w.recorder.Now(),
		`group by (severity) (ALERTS{alertname="etcdHighFsyncDurations",alertstate="firing"})`,
		[]map[string]any{{"labels": `{severity="critical"}`, "value": 1}, {"labels": `{severity="warning"}`, "value": 1}}), "both rules")
	require.Positive(t, scrape(t, w.zkines[0].Metrics).Samples["etcd_server_slow_read_indexes_total{}"])
	proxy.Delay(zktest.ToClient, 0)
}

// TestSessionsAreLost cuts all connections again and again.
func TestSessionsAreLost(t *testing.T) {
	needsAll(t)
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	w := newWorld(t, proxy.Addr(), 1)
	w.minutes(20, w.work)
	w.hasBeenQuiet()
	w.minutes(6, func(ctx context.Context) {
		proxy.CutAll()
		require.NoError(t, w.zkines[0].AwaitUnready(ctx))
		require.NoError(t, w.zkines[0].AwaitReady(ctx))
		w.work(ctx)
	})
	w.fires([]string{"ZkineLosesSessions"}, nil)
}

// TestElections has an ensemble of three elect one leader after the other.
func TestElections(t *testing.T) {
	needsAll(t)
	ensemble := zktest.StartEnsemble(t, 3)
	w := newWorld(t, ensemble.Addrs()[0]+","+ensemble.Addrs()[1]+","+ensemble.Addrs()[2], 2)
	w.minutes(20, w.work)
	w.hasBeenQuiet()
	w.minutes(6, func(ctx context.Context) {
		ensemble.Restart()
		for _, z := range w.zkines {
			require.NoError(t, z.AwaitReady(ctx))
		}
		w.work(ctx)
	})
	w.minutes(6, w.work)
	w.fires([]string{"ZkineLosesSessions", "ZooKeeperElectsOften"}, []string{"etcdHighNumberOfLeaderChanges"})
}

// TestTheRootIsFull fills a root up to its quota.
func TestTheRootIsFull(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 1, "--quota-backend-bytes=4194304")
	value := string(make([]byte, 100))
	w.minutes(20, w.work)
	w.hasBeenQuiet()
	full := false
	fill := func(ctx context.Context) {
		for i := 0; i < 3 && !full; i++ {
			_, err := w.clients[0].Put(ctx, "large-"+randomText(16), value+randomText(60<<10))
			full = err != nil
		}
	}
	w.minutes(16, fill)
	require.False(t, full)
	w.fires(nil, []string{"etcdExcessiveDatabaseGrowth"})
	for range 1000 {
		if full {
			break
		}
		fill(within(t))
	}
	require.True(t, full)
	w.minutes(15, nil)
	w.fires([]string{"ZkineAlarmIsRaised", "ZkineIsNearlyFull"}, []string{"etcdDatabaseQuotaLowSpace", "etcdExcessiveDatabaseGrowth"})
}

// TestTheCorruptAlarmIsRaised has it raised by a client, as etcd's own checker does, and disarmed.
func TestTheCorruptAlarmIsRaised(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 2)
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	conn, err := rig.Dial(w.zkines[0].Endpoint)
	require.NoError(t, err)
	defer conn.Close()
	raised, err := pb.NewMaintenanceClient(conn).Alarm(within(t), &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_CORRUPT})
	require.NoError(t, err)
	require.Len(t, raised.Alarms, 1)
	_, err = w.clients[0].Put(within(t), "refused", "value")
	require.ErrorIs(t, err, rpctypes.ErrCorrupt)
	w.minutes(2, nil)
	w.fires([]string{"ZkineAlarmIsRaised"}, nil)
	_, err = w.clients[0].AlarmDisarm(within(t), (*clientv3.AlarmMember)(raised.Alarms[0]))
	require.NoError(t, err)
	w.minutes(2, w.work)
	w.fires(nil, nil)
}

// TestZooKeeperRefusesWrites puts a quota of ZooKeeper's on the root.
func TestZooKeeperRefusesWrites(t *testing.T) {
	needsAll(t)
	server := zktest.Start(t, zktest.WithEnforcedQuotas())
	w := newWorld(t, server.Addr(), 1)
	w.minutes(20, w.work)
	w.hasBeenQuiet()
	server.SetQuota(w.root, 1, 1)
	w.minutes(12, func(context.Context) { w.tryPuts(w.clients[0], 20, 3*time.Second) })
	w.amongThem([]string{"ZkineWritesFail", "ZooKeeperRefusesWrites"}, []string{"etcdHighNumberOfFailedGRPCRequests"})
}

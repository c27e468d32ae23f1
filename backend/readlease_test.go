package backend_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
)

// leasing has a zkine take the read lease, and shows its metrics.
func leasing(r *prometheus.Registry) func(*backend.Config) {
	return func(c *backend.Config) {
		c.ReadLease = backend.ReadLease{Wanted: true, Reads: 1}
		c.Registerer = r
	}
}

// metric is the value of one of a registry's metrics.
func metric(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	require.Failf(t, "no metric", "%s", name)
	return 0
}

// takeLease reads until that is done by the lease, which is held then: on a busy machine it
// may have run out again at once.
func takeLease(t *testing.T, ctx context.Context, b *backend.Backend, r *prometheus.Registry) {
	t.Helper()
	before := metric(t, r, "zkine_read_lease_reads_total")
	for metric(t, r, "zkine_read_lease_reads_total") == before || metric(t, r, "zkine_read_lease_held") == 0 {
		_, err := b.Range(ctx, &pb.RangeRequest{Key: []byte("k")})
		require.NoError(t, err)
	}
}

func TestReadsByTheLeaseNeedNoBarrier(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, r := memlog.New(), prometheus.NewRegistry()
	log := s.Open()
	b := openLog(t, log, "a", leasing(r))
	put(t, b, "k", "1")
	takeLease(t, ctx, b, r)
	byTheLease := func() bool {
		log.HoldBarriers()
		defer log.ReleaseBarriers()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		response, err := b.Range(ctx, &pb.RangeRequest{Key: []byte("k")})
		if err != nil {
			return false
		}
		require.Equal(t, "1", string(response.Kvs[0].Value))
		txn, err := b.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("k")}}}}})
		return err == nil && len(txn.Responses) == 1
	}
	for !byTheLease() { // a renewal keeps it, unless the machine is very busy
		takeLease(t, ctx, b, r)
	}
}

// TestWritesOfOthersWaitForTheHolder: what another zkine has acknowledged, the
// holder shows at once.
func TestWritesOfOthersWaitForTheHolder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, r := memlog.New(), prometheus.NewRegistry()
	holder := openMem(t, s, "a", leasing(r))
	other := openMem(t, s, "b")
	put(t, holder, "k", "0")
	takeLease(t, ctx, holder, r)
	for range 200 {
		rev := put(t, other, "k", "v")
		response, err := holder.Range(ctx, &pb.RangeRequest{Key: []byte("k")})
		require.NoError(t, err)
		require.GreaterOrEqual(t, response.Kvs[0].ModRevision, rev)
	}
	require.Equal(t, holder.View().Rev(), other.View().Rev())
}

// TestADeadHolderStallsOthersOnce: it is as one that is dead when its log is away.
func TestADeadHolderStallsOthersOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, r, others := memlog.New(), prometheus.NewRegistry(), prometheus.NewRegistry()
	log := s.Open()
	holder := openLog(t, log, "a", leasing(r))
	other := openMem(t, s, "b", func(c *backend.Config) { c.Registerer = others })
	put(t, holder, "k", "0")
	heldBack := func() float64 { return metric(t, others, "zkine_read_lease_held_back_seconds_total") }
	for before := heldBack(); heldBack() == before; { // again, if a busy machine has let it run out before
		log.Reconnect()
		takeLease(t, ctx, holder, r)
		log.Disconnect()
		put(t, other, "k", "1")
	}
	waited := heldBack()
	put(t, other, "k", "2")
	require.Equal(t, waited, heldBack(), "the first has waited for the lease's end")
	log.Reconnect()
	response, err := holder.Range(ctx, &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	require.Equal(t, "2", string(response.Kvs[0].Value))
}

// TestNoLeaseBesideAnOlderRelease: it would stop at the record.
func TestNoLeaseBesideAnOlderRelease(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, r := memlog.New(), prometheus.NewRegistry()
	require.NoError(t, s.Open().Join(ctx, revision.Member{Name: "old", ID: 9}))
	b := openMem(t, s, "a", leasing(r))
	for range 100 {
		_, err := b.Range(ctx, &pb.RangeRequest{Key: []byte("k")})
		require.NoError(t, err)
	}
	require.Zero(t, metric(t, r, "zkine_read_lease_reads_total"))
}

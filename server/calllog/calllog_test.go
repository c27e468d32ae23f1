package calllog

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// An incident in which everything is slow costs a few lines.
func TestSlowRequestsAreLimited(t *testing.T) {
	logger, hook := logrustest.NewNullLogger()
	l := &limit{log: logrus.NewEntry(logger)}
	admitted := 0
	for i := range 1200 {
		if l.admit("put", time.Duration(i)) {
			admitted++
		}
	}
	require.Equal(t, limitLines, admitted)
	l.end()
	require.Len(t, hook.AllEntries(), 1)
	require.Equal(t, logrus.Fields{"requests": 1200 - limitLines, "longest": "1.199µs", "method": "put"}, hook.LastEntry().Data)
	require.True(t, l.admit("put", 1), "a new period")
	l.end()
	require.Len(t, hook.AllEntries(), 1, "nothing was left out")
}

// FuzzDescribe describes whatever parses as a Txn: no request may panic in the log.
func FuzzDescribe(f *testing.F) {
	wire, err := proto.Marshal(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("k")}}, Success: []*pb.RequestOp{{}}})
	require.NoError(f, err)
	f.Add(wire)
	l, err := New(Config{}, prometheus.NewRegistry())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := &pb.TxnRequest{}
		if proto.Unmarshal(wire, r) == nil {
			l.describe(logrus.Fields{}, r)
		}
	})
}

// What was not logged of slow requests is told at the stop, and nothing after it.
func TestSlowRequestsAreToldAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, hook := logrustest.NewNullLogger()
		l := &limit{log: logrus.NewEntry(logger)}
		for range limitLines + 1 {
			l.admit("m", time.Minute)
		}
		l.close()
		require.Len(t, hook.AllEntries(), 1)
		require.Equal(t, 1, hook.LastEntry().Data["requests"])
		time.Sleep(2 * limitPeriod)
		require.Len(t, hook.AllEntries(), 1)
	})
}

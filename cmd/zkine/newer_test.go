package main

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zklog"
)

// TestARecordOfANewerZkineStopsTheOlder appends what a later release might: a
// request of a kind, or with a field, that this one does not know.
func TestARecordOfANewerZkineStopsTheOlder(t *testing.T) {
	unknown := protowire.AppendTag(nil, 1000, protowire.BytesType)
	unknown = protowire.AppendBytes(unknown, []byte("from the future"))
	kind := &recordpb.Request{}
	kind.ProtoReflect().SetUnknown(unknown)
	field := &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("a"), Value: []byte("2")}}}
	field.GetPut().ProtoReflect().SetUnknown(unknown)
	for name, request := range map[string]*recordpb.Request{"kind": kind, "field": field} {
		t.Run(name, func(t *testing.T) {
			args, root, conn := sharedRoot(t)
			d := &damaged{t, args, root, conn}
			running := startZkine(t, append(args, "--name=running"))
			put(t, client(t, running.ready()), "a", "1")
			log := d.openLog(zklog.Config{})
			out, err := log.Append(within(t), &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{request}})
			require.NoError(t, err)
			require.NoError(t, log.Close())
			slot := d.openSegment() + fmt.Sprintf("/s-%010d", out.Seq.Slot)
			for _, p := range []*process{running, startZkine(t, append(args, "--name=started"))} {
				problem := p.problem()
				require.Contains(t, problem, "written by a newer zkine")
				require.Contains(t, problem, slot)
				require.Contains(t, problem, "upgrade")
			}
			code, text := d.verify()
			require.Equal(t, 1, code)
			require.Contains(t, text, slot)
			require.Contains(t, text, "written by a newer zkine")
			// Nothing was appended or changed after it.
			_, stat, err := conn.Get(d.openSegment())
			require.NoError(t, err)
			require.EqualValues(t, out.Seq.Slot+1, stat.Version)
		})
	}
}

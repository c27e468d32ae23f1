package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

// openBackend opens the log and replays it, and has the served record follow it.
func (i *instance) openBackend(ctx context.Context) (*backend.Backend, error) {
	l, err := i.openLog(ctx)
	if err != nil {
		return nil, err
	}
	i.log.Infof("replaying the log under %s", i.cfg.root)
	defer showStartup(i.log, i.status, i.startup)()
	archiver, err := i.archiver(l.ClusterID())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	b, err := backend.Open(ctx, l, backend.Config{
		Member: revision.Member{
			Name: i.cfg.name, ID: memberID(l.ClusterID(), i.cfg.name), ClientURLs: i.front.advertised,
		},
		ProgressNotifyInterval: i.cfg.progressInterval,
		AutoCompaction:         i.cfg.autoCompaction,
		QuotaBytes:             i.cfg.quotaBytes,
		ReadLease:              backend.ReadLease{Wanted: i.cfg.readLease},
		WithoutOrigin:          !i.cfg.housekeeping.origin,
		TempDir:                i.cfg.tempDir,
		Held:                   i.held,
		Archive:                archiver,
		Startup:                i.startup,
		Auth:                   i.cfg.auth.config(i.cfg.tls.ClientCertAuth),
		Registerer:             i.registry,
		Log:                    i.log,
	})
	if err != nil {
		return nil, about("root "+i.cfg.root, err)
	}
	i.log.Info(clusterLine(i.cfg.root, l, int64(b.Status().Revision)))
	i.record.follow(l.Served)
	return b, nil
}

// archiver is what archives the log; nil for none.
func (i *instance) archiver(cluster uint64) (housekeep.Archive, error) {
	if i.cfg.archive.location == "" {
		return nil, nil
	}
	cfg, err := i.cfg.archive.config()
	if err != nil {
		return nil, about("--archive", err)
	}
	cfg.Dialer, cfg.Root, cfg.ClusterID = i.ensemble().Bulk(), i.cfg.root, cluster
	cfg.Pace, cfg.Registerer, cfg.Log = archive.Gently, i.registry, i.log
	return archive.New(cfg), nil
}

// openLog opens the log on the servers, and waits while none of them serves.
func (i *instance) openLog(ctx context.Context) (*zklog.Log, error) {
	cfg := &i.cfg
	i.log.Infof("connecting to ZooKeeper at %s", strings.Join(i.servers, ","))
	zookeeper := i.ensemble()
	l, err := zklog.Open(ctx, zklog.Config{
		Dialer:         zookeeper,
		Bulk:           zookeeper.Bulk(),
		OneServer:      i.oneServer,
		Root:           cfg.root,
		Name:           cfg.name,
		MaxRequest:     cfg.maxRequest,
		MaxSlots:       int64(cfg.housekeeping.segmentSlots),
		MaxBytes:       cfg.housekeeping.segmentBytes,
		CheckpointFrom: int64(cfg.housekeeping.checkpointLogBytes),
		Noted:          i.startup.Waiting,
		Measured:       i.measured,
		ClusterID:      uint64(cfg.cluster.id),
		NewCluster:     cfg.cluster.isNew,
		Served:         cfg.cluster.served,
		Log:            i.log,
	})
	if err != nil {
		return nil, i.rootProblem(err)
	}
	return l, nil
}

// ensemble dials sessions on the servers.
func (i *instance) ensemble() *zkclient.Ensemble {
	return i.security.secure(&zkclient.Ensemble{
		Servers: i.servers, Timeout: i.cfg.sessionTimeout, MaxRequest: i.cfg.maxRequest, PreferLeader: true,
		Alone: i.oneServer, Traffic: i.traffic, Measured: i.measured, Log: i.log,
	})
}

// rootProblem says why the root could not be opened. An operator who meant to
// leave a cluster, or has two zkines share a folder, has to know which file
// refuses it.
func (i *instance) rootProblem(err error) *problem {
	p := about("root "+i.cfg.root, err)
	if i.cfg.cluster.served != nil && i.cfg.cluster.id == 0 && errors.Is(err, revision.ErrWrongCluster) {
		p.remedy += fmt.Sprintf("; it is remembered in %s: zkines of different clusters need a --data-dir each", i.record.path)
	}
	return p
}

// clusterLine says which cluster is served, and whether it was there before.
func clusterLine(root string, l *zklog.Log, rev int64) string {
	id, found := zkroot.ClusterID(l.ClusterID()), l.Found()
	if found.Made {
		return fmt.Sprintf("made a new cluster under %s: serving cluster %v, which is empty", root, id)
	}
	return fmt.Sprintf("found a cluster under %s: serving cluster %v, revision %d, last written %s",
		root, id, rev, found.Written.UTC().Format(time.RFC3339))
}

// memberID is stable for a name on a root, and never 0.
func memberID(clusterID uint64, name string) uint64 {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, clusterID), name...))
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}

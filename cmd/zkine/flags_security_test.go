package main

import (
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient/identity"
)

func TestWarningsOfAnOpenDoor(t *testing.T) {
	const (
		wayRisk  = "ZooKeeper is reached without TLS at zk1:2181,10.0.0.2: who is on the way reads and alters every key"
		doorRisk = "what zkine creates is open to all who reach ZooKeeper at zk1:2181,10.0.0.2: they read and write every key"
	)
	open, closed := zk.WorldACL(zk.PermAll), zk.AuthACL(zk.PermAll)
	servers := []string{"zk1:2181", "127.0.0.1:2181", "10.0.0.2"}
	for _, c := range []struct {
		name    string
		servers []string
		met     security
		texts   []string // of each warning a part
	}{
		{"neither", servers, security{acl: open}, []string{wayRisk, doorRisk}},
		{"an ACL alone", servers, security{acl: closed}, []string{wayRisk}},
		{"TLS alone", servers, security{acl: open, tls: new(identity.TLS)}, []string{doorRisk}},
		{"both", servers, security{acl: closed, tls: new(identity.TLS)}, nil},
		{"loopback", []string{"127.0.0.1:2181", "[::1]:2181", "localhost:2181", "127.0.0.2"}, security{acl: open}, nil},
		{"the local ZooKeeper", nil, security{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, hook := logrustest.NewNullLogger()
			c.met.warnOfOpenDoor(c.servers, logrus.NewEntry(log))
			require.Len(t, hook.AllEntries(), len(c.texts))
			for i, e := range hook.AllEntries() {
				require.Equal(t, logrus.WarnLevel, e.Level)
				require.Contains(t, e.Message, c.texts[i])
			}
		})
	}
}

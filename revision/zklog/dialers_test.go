package zklog_test

import (
	"time"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// outlasting is a session timeout that no test may have to wait for.
const outlasting = 20 * time.Second

// dialer dials with a short session timeout.
func dialer(servers ...string) *zkclient.Ensemble {
	return &zkclient.Ensemble{Servers: servers, Timeout: 2 * time.Second, MaxRequest: zklog.DefaultMaxRequest, Log: quiet()}
}

// lasting dials with a session timeout that no test may have to wait for.
func lasting(servers ...string) *zkclient.Ensemble {
	d := dialer(servers...)
	d.Timeout = outlasting
	return d
}

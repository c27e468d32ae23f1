package main

import (
	"math"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/server"
)

// limitFlags bound what clients may do over the network. Names and defaults are
// etcd's.
type limitFlags struct {
	hostWhitelist     []string
	maxStreams        uint32
	keepaliveMinTime  time.Duration
	keepaliveInterval time.Duration
	keepaliveTimeout  time.Duration
}

func (l *limitFlags) bind(f *pflag.FlagSet) {
	f.StringSliceVar(&l.hostWhitelist, "host-whitelist", []string{"*"}, "host `names` under which the client URLs serve HTTP without TLS, so that no web page reaches them by a name of its own; * is any, as is empty")
	f.Uint32Var(&l.maxStreams, "max-concurrent-streams", server.DefaultMaxConcurrentStreams, "most `calls` and streams that a client may have open at a time on a connection")
	f.DurationVar(&l.keepaliveMinTime, "grpc-keepalive-min-time", server.DefaultKeepaliveMinTime, "how long a client has to wait between two pings; 0 for as often as it likes")
	f.DurationVar(&l.keepaliveInterval, "grpc-keepalive-interval", server.DefaultKeepaliveInterval, "after how long without a sign of life a client is pinged; 0 for never")
	f.DurationVar(&l.keepaliveTimeout, "grpc-keepalive-timeout", server.DefaultKeepaliveTimeout, "how long a client may take to answer a ping until its connection is ended; 0 for ever")
}

// maxKeepalive is where a duration was mistyped.
const maxKeepalive = 30 * 24 * time.Hour

func (l *limitFlags) check(v *checker) {
	for i, host := range l.hostWhitelist {
		host = strings.TrimSpace(host)
		l.hostWhitelist[i] = host
		if strings.ContainsAny(host, "/ ") || strings.Count(host, ":") == 1 {
			v.refuse("host-whitelist", "\""+host+"\" is not the name of a host", "write names like localhost,etcd.example.org, without a scheme and a port")
		}
	}
	v.between("max-concurrent-streams", int64(l.maxStreams), 1, math.MaxUint32, plain)
	v.duration("grpc-keepalive-min-time", l.keepaliveMinTime, 0, maxKeepalive)
	v.orNone("grpc-keepalive-interval", l.keepaliveInterval, time.Second) // gRPC makes less a second
	v.orNone("grpc-keepalive-timeout", l.keepaliveTimeout, 100*time.Millisecond)
}

// orNone refuses a duration below low, unless it is 0.
func (v *checker) orNone(flag string, d, low time.Duration) {
	if d != 0 {
		v.duration(flag, d, low, maxKeepalive)
	}
}

// limits is what the server is told.
func (l *limitFlags) limits() server.Limits {
	none := func(d time.Duration) time.Duration {
		if d == 0 {
			return -1
		}
		return d
	}
	return server.Limits{
		MaxConcurrentStreams: l.maxStreams,
		KeepaliveMinTime:     none(l.keepaliveMinTime),
		KeepaliveInterval:    none(l.keepaliveInterval),
		KeepaliveTimeout:     none(l.keepaliveTimeout),
	}
}

package main

import (
	"net"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/server/listener"
)

// elsewhere is a socket that says it is bound to another address. Tests bind to
// loopback addresses only.
type elsewhere struct {
	net.Listener
	addr net.Addr
}

func (e elsewhere) Addr() net.Addr { return e.addr }

func at(ip string, port int) net.Listener {
	return elsewhere{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: port}}
}

func TestWarningsOfExposure(t *testing.T) {
	secure, err := listener.Listen([]string{"https://127.0.0.1:0", "http://127.0.0.1:0", "unix://" + t.TempDir() + "/s"})
	require.NoError(t, err)
	defer listener.CloseAll(secure)
	const (
		clientsRisk = "clients are served without TLS on http://10.0.0.1:2379: who reaches it reads and writes every key"
		pagesRisk   = "any web page that a browser shows may use the JSON gateway on http://10.0.0.1:2379"
	)
	for _, c := range []struct {
		name             string
		clients, metrics []net.Listener
		cors             []string
		pprof            bool
		texts            []string // of each warning a part
	}{
		{"loopback, TLS and unix", append(secure, at("127.0.0.1", 1), at("::1", 2)), []net.Listener{at("127.0.0.2", 3)}, []string{"*"}, true, nil},
		{"clients", []net.Listener{at("10.0.0.1", 2379)}, nil, nil, false, []string{clientsRisk}},
		{"clients and any page", []net.Listener{at("127.0.0.1", 1), at("10.0.0.1", 2379)}, nil, []string{"*"}, false, []string{clientsRisk, pagesRisk}},
		{"a page by name", []net.Listener{at("10.0.0.1", 2379)}, nil, []string{"https://page"}, false, []string{clientsRisk}},
		{"everywhere", []net.Listener{at("0.0.0.0", 1), at("::", 2)}, nil, nil, false, []string{"http://0.0.0.0:1 and http://[::]:2"}},
		{"metrics", nil, []net.Listener{at("10.0.0.1", 2381)}, []string{"*"}, false, []string{"metrics and health are served without TLS on http://10.0.0.1:2381"}},
		{"profiles", nil, []net.Listener{at("10.0.0.1", 2381)}, []string{"*"}, true, []string{"profiles, which show keys, and metrics are served without TLS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, hook := logrustest.NewNullLogger()
			warnOfExposure(&config{cors: c.cors, enablePprof: c.pprof}, c.clients, c.metrics, logrus.NewEntry(log))
			require.Len(t, hook.AllEntries(), len(c.texts))
			for i, e := range hook.AllEntries() {
				require.Equal(t, logrus.WarnLevel, e.Level)
				require.Contains(t, e.Message, c.texts[i])
			}
		})
	}
}

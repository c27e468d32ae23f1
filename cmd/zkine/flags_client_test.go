package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestWhyAStoreIsNotReached: the line says what is wrong with the endpoint, as far as a connection tells.
func TestWhyAStoreIsNotReached(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:1": "for 300ms: .*connection refused — check --endpoints",
		secure.URL:           "for 300ms: .*signed by unknown authority — check --endpoints",
		"http://" + secure.Listener.Addr().String(): "for 300ms: TLS is spoken there, write https:// — check --endpoints",
		"https://" + plain.Listener.Addr().String(): "for 300ms: TLS is not spoken there, write http:// — check --endpoints",
		plain.URL:                           "for 300ms — check --endpoints",
		"http://127.0.0.1:1,http://[::1]:1": "for 300ms: .*connection refused — check --endpoints",
	} {
		_, err := zkine("import", "--endpoints="+endpoint, "--dial-timeout=300ms", "--zookeeper=127.0.0.1:1", "--dry-run")
		require.Error(t, err, endpoint)
		require.Regexp(t, want, explain(err).Error())
	}
}

func TestASnapshotThatIsNotThere(t *testing.T) {
	zooKeeper := "--zookeeper=" + zktest.Shared(t).Addr()
	for args, want := range map[string]string{
		"--snapshot=/nowhere/s.db":                 "/nowhere/s.db: there is no such file — name what etcdctl snapshot save has written",
		"--snapshot=/nowhere/s.db --without-users": "--without-users: it is for a live store: a snapshot brings its users — leave it out",
	} {
		_, err := zkine(append([]string{"import", zooKeeper, "--zookeeper-root=/not-there", "--dry-run"}, strings.Fields(args)...)...)
		require.EqualError(t, explain(err), want)
	}
}

// A collector is host:port, as etcd has it, or a URL.
func TestCollectors(t *testing.T) {
	for address, is := range map[string]bool{
		"localhost:4317": true, "[::1]:4317": true, "http://collector:4317": true, "https://collector:4317/": true,
		"": false, "collector": false, ":4317": false, "collector:": false, "https://collector": false,
		"tcp://collector:4317": false, "https://collector:4317/v1/traces": false, "https://%zz:1": false,
	} {
		require.Equal(t, is, isCollector(address), "%q", address)
	}
}

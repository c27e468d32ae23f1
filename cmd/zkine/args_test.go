package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheClosestFlag(t *testing.T) {
	flags, _ := newFlags(t)
	known := flagNames(flags)
	for name, want := range map[string]string{
		"ZOOKEPER": "zookeeper", "ZOOKEEPERS": "zookeeper", "ZOO_KEEPER": "zookeeper", "zookeeper": "zookeeper", "ZOOKEEEPR": "zookeeper",
		"ZOOKEPER_ROOT": "zookeeper-root", "NMAE": "name", //nolint:misspell // that is what is tested
		"NAMES": "name", "DATADIR": "data-dir", "DATA_DIRS": "data-dir",
		"LISTEN_CLIENT_ADDRS": "", "LISTEN_CLIENTS_URL": "listen-client-urls", "CROS": "cors", "QUOTA_BACKEND_BYTE": "quota-backend-bytes",
		"LOCAL_ZOOKEEPER_HEEP": "local-zookeeper-heap",
		// What people name for purposes of their own.
		"HOME": "", "IMAGE": "", "VERSION": "", "PORT": "", "ENDPOINTS": "", "CONFIG": "", "CORE": "cors", "DIR": "", "X": "", "": "", "HELP": "", "ZOO": "",
		"PEER_CERT_FILE": "", "LOG": "", "USER": "", "ROOT": "",
	} {
		require.Equal(t, want, closest(name, known), name)
	}
	for _, name := range known {
		require.Equal(t, name, closest(name, known))
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "ab", 0}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"abcd", "acbd", 1}} {
		require.Equal(t, c.want, distance(c.a, c.b), c)
		require.Equal(t, c.want, distance(c.b, c.a), c)
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServersThatCannotBe has what people write who know URLs, other clients of
// ZooKeeper's or IPv6, and what they should write.
func TestServersThatCannotBe(t *testing.T) {
	for value, want := range map[string]string{
		"http://zk1:2181":    `"http://zk1:2181" is a URL, and ZooKeeper's servers have none — write zk1:2181`,
		"zk://zk1/kube":      `"zk://zk1/kube" is a URL, and ZooKeeper's servers have none — write zk1:2181, and --zookeeper-root=/kube`,
		"zk1:1,tcp://zk2:2":  `"tcp://zk2:2" is a URL, and ZooKeeper's servers have none — write zk2:2`,
		"https://":           `"https://" is a URL, and ZooKeeper's servers have none — ` + serversExample,
		"zk1:2181:2181":      `"zk1:2181:2181" has more than one port — write zk1:2181`,
		"zk1:2888:3888":      `"zk1:2888:3888" has more than one port — write zk1:2181`,
		"zk1:a:b":            `"zk1:a:b" has more than one port — ` + serversExample,
		"::1:2181":           `"::1:2181" is an IPv6 address without brackets — write [::1]:2181`,
		"::1":                `"::1" is an IPv6 address without brackets — write [::1]:2181`,
		"2001:db8::7":        `"2001:db8::7" is an IPv6 address without brackets — write [2001:db8::7]:2181`,
		"zk1:2181/kube":      `"zk1:2181/kube" has a path — write zk1:2181, and --zookeeper-root=/kube`,
		"zk1:2181,zk2/a/b":   `"zk2/a/b" has a path — write zk2:2181, and --zookeeper-root=/a/b`,
		"zk1:2181/":          `"zk1:2181/" has a path — write zk1:2181`,
		"zk1:2181 zk2:2181":  `"zk1:2181 zk2:2181" is more than one server — separate servers with commas: zk1:2181,zk2:2181`,
		"zk1;zk2":            `"zk1;zk2" is more than one server — separate servers with commas: zk1,zk2`,
		"zk1:2181,,zk2:2181": `a server between commas is empty — write zk1:2181,zk2:2181`,
		"zk1:2181,":          `a server between commas is empty — write zk1:2181`,
		",":                  `a server between commas is empty — ` + serversExample,
		"zk1:0":              `"zk1:0" has a port that cannot be — choose from 1 to 65535; ZooKeeper's is 2181`,
		"zk1:65536":          `"zk1:65536" has a port that cannot be — choose from 1 to 65535; ZooKeeper's is 2181`,
		"[::1]:65536":        `"[::1]:65536" has a port that cannot be — choose from 1 to 65535; ZooKeeper's is 2181`,
		"zk1:":               `"zk1:" names no port — write zk1:2181`,
		"[::1]:":             `"[::1]:" names no port — write [::1]:2181`,
		"zk1:-1":             `"zk1:-1" is not host:port — ` + serversExample,
		"zk1:+2181":          `"zk1:+2181" is not host:port — ` + serversExample,
		":2181":              `":2181" names no host — ` + serversExample,
		"[zk1]:2181":         `"[zk1]:2181" has brackets, which are for IPv6 addresses — write zk1:2181`,
		"[127.0.0.1]:2181":   `"[127.0.0.1]:2181" has brackets, which are for IPv6 addresses — write 127.0.0.1:2181`,
		"[::1":               `"[::1" has a bracket that is not closed — write an IPv6 address like [::1]:2181`,
		"::1]:2181":          `"::1]:2181" has a bracket that does not belong there — write an IPv6 address like [::1]:2181`,
		"[::1]2181":          `"[::1]2181" is not host:port — write [::1]:2181`,
		"zk1:2181,ZK1:2181":  `"ZK1:2181" is named twice — name each server once`,
		"zk1,zk1:2181":       `"zk1:2181" is named twice — name each server once`,
		"user@zk1:2181":      `a server has a user or a password before its host, of which zkine makes no use — ` + serversExample,
		"zk1:2181?timeout=1": `"zk1:2181?timeout=1" is not host:port — ` + serversExample,
		"300.1.2.3:2181":     `"300.1.2.3:2181" begins with no IPv4 address — ` + serversExample,
	} {
		_, bad := parseServers(strings.Split(value, ","))
		require.NotNil(t, bad, value)
		require.Equal(t, want, bad.what+" — "+bad.remedy)

		for _, command := range [][]string{{"server"}, {"log", "verify"}} {
			var out, said strings.Builder
			code := execute(append(command, "--zookeeper="+value), nil, &out, &said)
			require.Equal(t, 2, code, "%v %s", command, value)
			require.Contains(t, said.String(), want)
		}
	}
}

func TestServersThatCanBe(t *testing.T) {
	parsed, bad := parseServers([]string{"zk1", " zk-2.example.com:2182 ", "10.0.0.1", "[::1]", "[fe80::1%eth0]:2183", "zk_3"})
	require.Nil(t, bad)
	require.Equal(t, []string{"zk1:2181", "zk-2.example.com:2182", "10.0.0.1:2181", "[::1]:2181", "[fe80::1%eth0]:2183", "zk_3:2181"}, parsed)
}

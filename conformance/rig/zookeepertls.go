package rig

import (
	"cmp"
	"context"
	"crypto/x509/pkix"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// SecureZooKeepers serve TLS, too, each on a port of its own.
type SecureZooKeepers struct {
	*ZooKeepers
	Authority *certs.Authority
	secure    []string
}

// StartSecureZooKeepers is StartZooKeepers with TLS by an authority of their own, whose files are in c.DataDir. They
// demand a certificate of each client.
func StartSecureZooKeepers(ctx context.Context, n int, c embedded.Config) (*SecureZooKeepers, error) {
	authority, err := certs.New(c.DataDir)
	if err != nil {
		return nil, err
	}
	host := cmp.Or(c.Host, loopback)
	own, err := authority.Issue(pkix.Name{CommonName: "zookeeper"}, host)
	if err != nil {
		return nil, err
	}
	s, common := &SecureZooKeepers{Authority: authority}, c.Properties
	s.ZooKeepers, err = startZooKeepers(ctx, n, c, func(c *embedded.Config) error {
		port, err := embedded.FreePort()
		if err != nil {
			return err
		}
		s.secure = append(s.secure, net.JoinHostPort(host, strconv.Itoa(port)))
		c.Properties = zktest.Secure(host, port, own, authority)
		maps.Copy(c.Properties, common)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ZkineArgs are the flags of a zkine that uses them, under a name of its own.
func (s *SecureZooKeepers) ZkineArgs(name string) ([]string, error) {
	client, err := s.Authority.Issue(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	return []string{
		"--zookeeper-cert-file=" + client.CertFile, "--zookeeper-key-file=" + client.KeyFile,
		"--zookeeper-trusted-ca-file=" + s.Authority.CertFile(),
	}, nil
}

// SecureAddresses are where all servers serve TLS, with commas, as zkine's --zookeeper takes them.
func (s *SecureZooKeepers) SecureAddresses() string { return strings.Join(s.secure, ",") }

package main

import (
	"net"
	"strings"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
)

// securityFlags say how an ensemble is met: with which certificates and
// credentials, and who may touch what zkine keeps there.
type securityFlags struct {
	files    identity.Files
	authFile string
	aclText  string
	strict   bool // the server's alone
	// opensLocal is of a command that can make a local ZooKeeper open to all.
	opensLocal bool

	acl zkacl.List // what aclText says, once checked
}

func (s *securityFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&s.files.CertFile, "zookeeper-cert-file", "", "PEM `file` of zkine's certificate towards ZooKeeper, with its chain; read again at each connection")
	f.StringVar(&s.files.KeyFile, "zookeeper-key-file", "", "PEM `file` of that certificate's key")
	f.StringVar(&s.files.TrustedCAFile, "zookeeper-trusted-ca-file", "", "PEM `file` of the authorities of ZooKeeper's certificates; each of these files has connections to ZooKeeper use TLS (default: the system's)")
	f.StringVar(&s.files.ServerName, "zookeeper-server-name", "", "`name` in ZooKeeper's certificates (default: each server's, as --zookeeper has it)")
	f.StringVar(&s.authFile, "zookeeper-auth-file", "", "`file` with credentials towards ZooKeeper, one scheme:credential a line, like digest:user:password; read again at each connection")
	f.StringVar(&s.aclText, "zookeeper-acl", "", "`list` of who may touch the znodes: creator, which is who zkine authenticates as, open, or scheme:id:permissions, several with ; between (default: creator if zkine authenticates, else open)")
}

// bindStrict declares what only a server has.
func (s *securityFlags) bindStrict(f *pflag.FlagSet) {
	f.BoolVar(&s.strict, "zookeeper-acl-strict", false, "do not start on a root with znodes that someone may touch whom --zookeeper-acl does not let, instead of a warning")
}

// check refuses what cannot be. What is in the files is load's to check.
func (s *securityFlags) check(v *checker, servers []string) {
	if len(servers) == 0 {
		s.refuseLocal(v)
		return
	}
	switch {
	case s.files.CertFile != "" && s.files.KeyFile == "":
		v.refuse("zookeeper-key-file", "no key is named for the certificate "+s.files.CertFile, "name its PEM file")
	case s.files.KeyFile != "" && s.files.CertFile == "":
		v.refuse("zookeeper-cert-file", "no certificate is named for the key "+s.files.KeyFile, "name its PEM file")
	}
	text := s.aclText
	if text == "" {
		text = zkacl.Open
		if s.authenticates() {
			text = zkacl.Creator
		}
	}
	var err error
	if s.acl, err = zkacl.Parse(text); err != nil {
		what, remedy, _ := parted(err)
		v.refuse("zookeeper-acl", what, remedy)
	}
	if text == zkacl.Creator && !s.authenticates() {
		v.refuse("zookeeper-acl", "creator is who zkine authenticates as, and it does not", "name credentials with --zookeeper-auth-file, or a certificate with --zookeeper-cert-file")
	}
	if s.strict && text == zkacl.Open {
		v.refuse("zookeeper-acl-strict", "everyone may touch the znodes", "say who may with --zookeeper-acl, or have zkine authenticate")
	}
}

// refuseLocal refuses what is for an ensemble: the local ZooKeeper is closed to
// everyone but its zkine, always; unless it is to go back to a release that could
// not be kept out.
func (s *securityFlags) refuseLocal(v *checker) {
	if s.opensLocal && s.aclText == zkacl.Open {
		s.acl = zk.WorldACL(zk.PermAll)
	}
	for _, flag := range []string{"zookeeper-cert-file", "zookeeper-key-file", "zookeeper-trusted-ca-file", "zookeeper-server-name", "zookeeper-auth-file", "zookeeper-acl", "zookeeper-acl-strict"} {
		if flag == "zookeeper-acl" && s.acl != nil {
			continue
		}
		if v.flags.Changed(flag) || v.from[flag] != "" {
			v.refuse(flag, "it is for an ensemble", "name its servers with --zookeeper; the local ZooKeeper is closed to all but its zkine")
		}
	}
}

// authenticates says whether ZooKeeper will know zkine by more than its address.
func (s *securityFlags) authenticates() bool { return s.authFile != "" || s.files.CertFile != "" }

// security is what securityFlags lead to.
type security struct {
	tls         *identity.TLS
	credentials func() []identity.Credential
	acl         []zk.ACL
}

// load reads the files.
func (s *securityFlags) load(log *logrus.Entry) (loaded security, err error) {
	loaded.acl = s.acl
	if s.files.Given() {
		if loaded.tls, err = identity.NewTLS(s.files, log); err != nil {
			return security{}, explain(err)
		}
	}
	if s.authFile != "" {
		file, err := identity.OpenAuthFile(s.authFile, log)
		if err != nil {
			return security{}, about("--zookeeper-auth-file", err)
		}
		loaded.credentials = file.Credentials
	}
	return loaded, nil
}

// secure has an ensemble met so.
func (s security) secure(z *zkclient.Ensemble) *zkclient.Ensemble {
	z.TLS, z.Credentials, z.ACL = s.tls, s.credentials, s.acl
	return z
}

// warnOfOpenDoor names what others can do at ZooKeeper itself, and how to mend it:
// one line for who is on the way, one for who reaches it. Of servers on the loopback
// interface it says nothing.
func (s security) warnOfOpenDoor(servers []string, log *logrus.Entry) {
	away := beyondLoopback(servers)
	if away == "" {
		return
	}
	if s.tls == nil {
		log.Warnf("ZooKeeper is reached without TLS at %s: who is on the way reads and alters every key, and zkine's password if it has one; "+
			"name the servers' secureClientPort, with --zookeeper-trusted-ca-file and --zookeeper-cert-file", away)
	}
	if zkacl.List(s.acl).Against(zk.WorldACL(zk.PermAll)) == zkacl.Same {
		log.Warnf("what zkine creates is open to all who reach ZooKeeper at %s: they read and write every key; "+
			"have zkine authenticate, with --zookeeper-cert-file or --zookeeper-auth-file, and see zkine acl", away)
	}
}

// beyondLoopback lists those servers that are not on the loopback interface, as far as
// their names tell.
func beyondLoopback(servers []string) string {
	var away []string
	for _, server := range servers {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			host = server
		}
		ip := net.ParseIP(host)
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			away = append(away, server)
		}
	}
	return strings.Join(away, ",")
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/zkine/zkine/backend/etcdapi"
)

// clientFlags say how another store is reached by the etcd API. They are etcdctl's.
type clientFlags struct {
	endpoints    []string
	dialTimeout  time.Duration
	ca           string
	cert         string
	key          string
	skipVerify   bool
	user         string
	password     string
	passwordFile string
	token        string
	tokenFile    string
}

func (c *clientFlags) bind(f *pflag.FlagSet, what string) {
	f.StringSliceVar(&c.endpoints, "endpoints", nil, "`urls` of "+what)
	f.DurationVar(&c.dialTimeout, "dial-timeout", 5*time.Second, "how long to try to reach the endpoints")
	c.bindTLS(f)
	f.StringVar(&c.user, "user", "", "`name[:password]` to log in with; root, where users count")
	f.StringVar(&c.password, "password", "", "the user's `password`; others see it on a command line, so prefer --password-file or the variable")
	f.StringVar(&c.passwordFile, "password-file", "", "`file` whose first line is the user's password")
	f.StringVar(&c.token, "auth-jwt-token", "", "a JSON web `token`, instead of a user")
	f.StringVar(&c.tokenFile, "auth-jwt-token-file", "", "`file` whose first line is that token")
}

// bindTLS declares those for certificates alone.
func (c *clientFlags) bindTLS(f *pflag.FlagSet) {
	f.StringVar(&c.ca, "cacert", "", "PEM `file` of the CAs of the endpoints' certificates (default: the system's)")
	f.StringVar(&c.cert, "cert", "", "PEM `file` of this client's certificate")
	f.StringVar(&c.key, "key", "", "PEM `file` of that certificate's key")
	f.BoolVar(&c.skipVerify, "insecure-skip-tls-verify", false, "do not check the endpoints' certificates")
}

// check refuses what cannot be. What is in the files is connect's to check.
func (c *clientFlags) check(v *checker) {
	if len(c.endpoints) == 0 {
		return
	}
	for i, e := range c.endpoints {
		c.endpoints[i] = strings.TrimSpace(e)
		if !strings.Contains(c.endpoints[i], "://") {
			c.endpoints[i] = c.scheme() + c.endpoints[i]
		}
		if what := checkURL(c.endpoints[i], []string{"http", "https", "unix", "unixs"}); what != "" {
			v.refuse("endpoints", what, "write URLs like https://10.0.0.1:2379")
			return
		}
	}
	c.checkAccess(v)
}

// checkAccess refuses what cannot be whatever the endpoints are.
func (c *clientFlags) checkAccess(v *checker) {
	v.duration("dial-timeout", c.dialTimeout, 100*time.Millisecond, time.Hour)
	switch name, password, _ := strings.Cut(c.user, ":"); {
	case (c.cert == "") != (c.key == ""):
		v.refuse("cert", "a certificate and its key belong together", "name both, with --cert and --key")
	case c.skipVerify && c.ca != "":
		v.refuse("insecure-skip-tls-verify", "--cacert has no use then", "leave one of them out")
	case name == "" && (password != "" || c.password != "" || c.passwordFile != ""):
		v.refuse("user", "a password needs a user", "name it with --user")
	case countSet(password, c.password, c.passwordFile) > 1:
		v.refuse("password", "is said twice", "say it once, best in a file with --password-file")
	case c.user != "" && countSet(c.token, c.tokenFile) > 0 || countSet(c.token, c.tokenFile) > 1:
		v.refuse("auth-jwt-token", "one way to log in is enough", "choose --user, --auth-jwt-token or --auth-jwt-token-file")
	case name != "" && countSet(password, c.password, c.passwordFile) == 0:
		v.refuse("password-file", "user "+name+" needs a password", "name a file that holds it, or set the variable "+envName("password"))
	}
}

// scheme is that of an endpoint without one.
func (c *clientFlags) scheme() string {
	if c.secure() {
		return "https://"
	}
	return "http://"
}

// secure says whether a flag asks for TLS.
func (c *clientFlags) secure() bool { return c.ca != "" || c.cert != "" || c.skipVerify }

func countSet(values ...string) (n int) {
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}

// connect makes a client, which the caller closes. Nothing is sent yet but a login.
func (c *clientFlags) connect(ctx context.Context) (*clientv3.Client, error) {
	cfg := clientv3.Config{
		Context: ctx, Endpoints: c.endpoints, Logger: zap.NewNop(), DialTimeout: c.dialTimeout,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 10 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, MaxDelay: 3 * time.Second}, MinConnectTimeout: c.dialTimeout})},
	}
	if c.secure() || strings.HasPrefix(c.endpoints[0], "https://") || strings.HasPrefix(c.endpoints[0], "unixs://") {
		var err error
		if cfg.TLS, err = c.tls(); err != nil {
			return nil, &problem{thing: "the certificates for " + c.name(), what: oneLine(err.Error()), remedy: "check --cacert, --cert and --key"}
		}
	}
	if err := c.login(&cfg); err != nil {
		return nil, err
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return client, nil
}

func (c *clientFlags) tls() (*tls.Config, error) {
	info := transport.TLSInfo{TrustedCAFile: c.ca, CertFile: c.cert, KeyFile: c.key, InsecureSkipVerify: c.skipVerify, Logger: zap.NewNop()}
	return info.ClientConfig()
}

func (c *clientFlags) login(cfg *clientv3.Config) (err error) {
	name, password, _ := strings.Cut(c.user, ":")
	cfg.Username, cfg.Password, cfg.Token = name, password+c.password, c.token
	if c.passwordFile != "" {
		cfg.Password, err = firstLine(c.passwordFile)
	}
	if c.tokenFile != "" && err == nil {
		cfg.Token, err = firstLine(c.tokenFile)
	}
	return err
}

// maxSecretBytes bounds what is read of a file that holds a password or a token.
const maxSecretBytes = 64 << 10

func firstLine(name string) (string, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxSecretBytes {
		err = fmt.Errorf("it has %d bytes", info.Size())
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return "", &problem{thing: name, what: oneLine(err.Error()), remedy: "name a file whose first line is the password or token"}
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", &problem{thing: name, what: "its first line is empty", remedy: "write the password or token there"}
	}
	return line, nil
}

// name is how errors call the store.
func (c *clientFlags) name() string { return strings.Join(c.endpoints, ",") }

// unreachable says that nothing answered.
func (c *clientFlags) unreachable(err error) error {
	if errors.Is(err, errStopped) {
		return err
	}
	if errors.Is(err, etcdapi.ErrDenied) || errors.Is(err, etcdapi.ErrNotEtcd) {
		return about(c.name(), err)
	}
	what := oneLine(err.Error())
	if errors.Is(err, context.DeadlineExceeded) {
		what = fmt.Sprintf("nothing that speaks the etcd v3 API has answered for %v", c.dialTimeout) + c.cause()
	}
	return &problem{thing: c.name(), what: what, remedy: "check --endpoints, and the flags for TLS and users"}
}

// causeWait is how long each endpoint is tried to find out what is wrong with it.
const causeWait = time.Second

// cause finds out why the first endpoint cannot be used, since gRPC does not tell; "" if
// there is a connection.
func (c *clientFlags) cause() string {
	u, err := url.Parse(c.endpoints[0])
	if err != nil || u.Host == "" || strings.HasPrefix(u.Scheme, "unix") {
		return ""
	}
	plain := &net.Dialer{Timeout: causeWait}
	conn, err := plain.Dial("tcp", u.Host)
	if err != nil {
		return ": " + oneLine(err.Error())
	}
	conn.Close()
	secure := c.secure() || u.Scheme == "https"
	cfg := &tls.Config{InsecureSkipVerify: true} // nothing is sent: it only tells whether TLS is spoken there
	if secure {
		if cfg, err = c.tls(); err != nil {
			return ""
		}
	}
	conn, err = tls.DialWithDialer(plain, "tcp", u.Host, cfg)
	if err == nil {
		conn.Close()
	}
	switch {
	case err == nil && !secure:
		return ": TLS is spoken there, write https://"
	case errors.Is(err, io.EOF), errors.As(err, &tls.RecordHeaderError{}):
		if secure {
			return ": TLS is not spoken there, write http://"
		}
	case err != nil && secure:
		return ": " + oneLine(err.Error())
	}
	return ""
}

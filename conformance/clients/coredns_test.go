package clients

import (
	"crypto/x509/pkix"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind" // a Corefile names plugins, which register themselves
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/etcd"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// coredns is a CoreDNS whose zones lie in a store.
type coredns struct {
	t       *testing.T
	address string
}

// coreDNSStarts has one CoreDNS start at a time: caddy keeps what it reads from a Corefile in variables of its own.
var coreDNSStarts sync.Mutex

// newCoreDNS starts one; settings are lines of its etcd plugin. Nothing is cached: each query asks the store.
func newCoreDNS(t *testing.T, settings ...string) *coredns {
	t.Helper()
	coreDNSStarts.Lock()
	defer coreDNSStarts.Unlock()
	caddy.Quiet, dnsserver.Quiet = true, true
	server, err := caddy.Start(caddy.CaddyfileInput{
		ServerTypeName: "dns",
		Contents: []byte(".:0 {\nbind 127.0.0.1\nerrors\netcd example.test 10.0.0.0/24 {\npath /skydns\n" +
			strings.Join(settings, "\n") + "\n}\n}\n"),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		coreDNSStarts.Lock()
		defer coreDNSStarts.Unlock()
		require.NoError(t, server.Stop())
	})
	return &coredns{t, server.Servers()[0].LocalAddr().String()}
}

// ask sends one query, by UDP.
func (c *coredns) ask(name string, kind uint16) *dns.Msg {
	c.t.Helper()
	client := dns.Client{Timeout: patience}
	answer, _, err := client.ExchangeContext(within(c.t), new(dns.Msg).SetQuestion(name, kind), c.address)
	require.NoError(c.t, err)
	return answer
}

// answer is what a query gets, as words: the code if it is none of success, and the records, sorted.
func (c *coredns) answer(name string, kind uint16) string {
	c.t.Helper()
	msg := c.ask(name, kind)
	if msg.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[msg.Rcode]
	}
	require.True(c.t, msg.Authoritative)
	return records(msg.Answer)
}

// awaitAnswer asks until the answer is as it must come to be.
func (c *coredns) awaitAnswer(want, name string, kind uint16) {
	c.t.Helper()
	eventually(c.t, name+" does not become "+want, func() bool { return c.answer(name, kind) == want })
}

// records are the records without their class, "name TTL type data", sorted and joined.
func records(all []dns.RR) string {
	var words []string
	for _, record := range all {
		words = append(words, strings.Join(strings.Fields(strings.Replace(record.String(), "\tIN\t", "\t", 1)), " "))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// names are keys as SkyDNS laid them out.
var names = map[string]string{
	"db/x1":       `{"host":"10.0.0.1","port":5432,"ttl":60}`,
	"db/x2":       `{"host":"10.0.0.2","port":5433,"priority":20,"weight":50}`,
	"db/six":      `{"host":"fd00::6"}`,
	"dbx":         `{"host":"10.0.0.9"}`,
	"alias":       `{"host":"db.example.test","ttl":5}`,
	"web/a":       `{"host":"x1.db.example.test","port":80}`,
	"text/a":      `{"text":"hello, world","ttl":7}`,
	"text/b":      `{"text":"again"}`,
	"mail/a":      `{"host":"10.0.0.25","mail":true,"priority":15}`,
	"dns/ns/a":    `{"host":"10.0.0.53"}`,
	"dns/apex/x1": `{"host":"10.0.0.80"}`,
}

const zone = "/skydns/test/example/"

// TestCoreDNS has CoreDNS answer queries of every kind that its etcd plugin knows.
func TestCoreDNS(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		for name, value := range names {
			put(t, c, zone+name, value)
		}
		put(t, c, "/skydns/arpa/in-addr/10/0/0/1", `{"host":"x1.db.example.test."}`)
		put(t, c, zone+"broken", `{"host":`)
		d := newCoreDNS(t, "endpoint http://"+endpoint)

		for _, query := range []struct {
			kind       uint16
			name, want string
		}{
			{dns.TypeA, "x1.db.example.test.", "x1.db.example.test. 60 A 10.0.0.1"},
			{dns.TypeA, "db.example.test.", "db.example.test. 300 A 10.0.0.2, db.example.test. 60 A 10.0.0.1"},
			{dns.TypeA, "DB.Example.Test.", "DB.Example.Test. 300 A 10.0.0.2, DB.Example.Test. 60 A 10.0.0.1"},
			{dns.TypeA, "*.db.example.test.", "*.db.example.test. 300 A 10.0.0.2, *.db.example.test. 60 A 10.0.0.1"},
			{dns.TypeAAAA, "db.example.test.", "db.example.test. 300 AAAA fd00::6"},
			{dns.TypeAAAA, "dbx.example.test.", ""},
			{dns.TypeA, "example.test.", "example.test. 300 A 10.0.0.80"},
			{dns.TypeA, "none.example.test.", "NXDOMAIN"},
			{dns.TypeA, "d.example.test.", "NXDOMAIN"},
			{dns.TypeA, "broken.example.test.", "SERVFAIL"},
			{dns.TypeA, "alias.example.test.",
				"alias.example.test. 5 CNAME db.example.test., db.example.test. 300 A 10.0.0.2, db.example.test. 60 A 10.0.0.1"},
			{dns.TypeCNAME, "alias.example.test.", "alias.example.test. 5 CNAME db.example.test."},
			{dns.TypeTXT, "text.example.test.", `text.example.test. 300 TXT "again", text.example.test. 7 TXT "hello, world"`},
			{dns.TypeMX, "mail.example.test.", "mail.example.test. 300 MX 15 a.mail.example.test."},
			{dns.TypeNS, "example.test.", "example.test. 300 NS a.ns.dns.example.test."},
			{dns.TypePTR, "1.0.0.10.in-addr.arpa.", "1.0.0.10.in-addr.arpa. 300 PTR x1.db.example.test."},
			{dns.TypePTR, "2.0.0.10.in-addr.arpa.", "NXDOMAIN"},
			{dns.TypeSRV, "x2.db.example.test.", "x2.db.example.test. 300 SRV 20 100 5433 x2.db.example.test."},
			{dns.TypeSRV, "web.example.test.", "web.example.test. 300 SRV 10 100 80 x1.db.example.test."},
		} {
			require.Equal(t, query.want, d.answer(query.name, query.kind), "%s %s", query.name, dns.TypeToString[query.kind])
		}
		require.Equal(t, "x1.db.example.test. 60 A 10.0.0.1", records(d.ask("web.example.test.", dns.TypeSRV).Extra))
		require.Equal(t, "a.mail.example.test. 300 A 10.0.0.25", records(d.ask("mail.example.test.", dns.TypeMX).Extra))
		require.Contains(t, d.answer("example.test.", dns.TypeSOA), "example.test. 30 SOA ns.dns.example.test. hostmaster.example.test. ")
	})
}

// TestCoreDNSSeesChanges asks for names that are written, changed, removed, and that end with a lease, whose time is their
// TTL.
func TestCoreDNSSeesChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		d := newCoreDNS(t, "endpoint http://"+endpoint, "min-lease-ttl 1", "max-lease-ttl 10m")
		const name = "a.new.example.test."
		require.Equal(t, "NXDOMAIN", d.answer(name, dns.TypeA))
		put(t, c, zone+"new/a", `{"host":"10.0.0.1"}`)
		require.Equal(t, name+" 300 A 10.0.0.1", d.answer(name, dns.TypeA))
		put(t, c, zone+"new/a", `{"host":"10.0.0.2","ttl":9}`)
		require.Equal(t, name+" 9 A 10.0.0.2", d.answer(name, dns.TypeA))
		_, err := c.Delete(within(t), zone+"new/a")
		require.NoError(t, err)
		require.Equal(t, "NXDOMAIN", d.answer(name, dns.TypeA))

		long, err := c.Grant(within(t), 3600)
		require.NoError(t, err)
		put(t, c, zone+"new/a", `{"host":"10.0.0.3"}`, clientv3.WithLease(long.ID))
		require.Equal(t, name+" 600 A 10.0.0.3", d.answer(name, dns.TypeA), "of the bound")
		put(t, c, zone+"new/a", `{"host":"10.0.0.3","ttl":20}`, clientv3.WithLease(long.ID))
		require.Equal(t, name+" 20 A 10.0.0.3", d.answer(name, dns.TypeA), "of the record, which is less")
		some, err := c.Grant(within(t), 500)
		require.NoError(t, err)
		put(t, c, zone+"new/a", `{"host":"10.0.0.3"}`, clientv3.WithLease(some.ID))
		answer := d.ask(name, dns.TypeA).Answer
		require.Len(t, answer, 1)
		require.InDelta(t, 500, answer[0].Header().Ttl, patience.Seconds(), "of the lease")
		_, err = c.Revoke(within(t), some.ID)
		require.NoError(t, err)
		require.Equal(t, "NXDOMAIN", d.answer(name, dns.TypeA))

		short, err := c.Grant(within(t), 2)
		require.NoError(t, err)
		_, err = c.Put(within(t), zone+"new/a", `{"host":"10.0.0.4"}`, clientv3.WithLease(short.ID))
		if err == nil { // the lease may have ended already, on a slow machine
			d.awaitAnswer("NXDOMAIN", name, dns.TypeA)
		}
	})
}

// TestCoreDNSOutlivesAKill has it log in, and kills a server of its store by kill -9: one of two zkines, the only one of an
// etcd. It goes on by itself.
func TestCoreDNSOutlivesAKill(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]hurtable{"two zkines": twoZkines, "zkine": oneZkine, "etcd": oneEtcd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts, hurt := start(t)
			c := connect(t, hosts...)
			put(t, c, zone+"db/x1", `{"host":"10.0.0.1"}`)
			put(t, c, "/elsewhere/test/example/db/x1", `{"host":"10.0.0.66"}`)
			allowDNS(t, c)
			endpoint := "endpoint http://" + strings.Join(hosts, " http://")
			d := newCoreDNS(t, endpoint, "credentials coredns secret")
			stranger := newCoreDNS(t, endpoint, "credentials coredns secret", "path /elsewhere")
			nameless := newCoreDNS(t, endpoint)
			const want = "x1.db.example.test. 300 A 10.0.0.1"
			require.Equal(t, want, d.answer("x1.db.example.test.", dns.TypeA))
			require.Equal(t, "SERVFAIL", stranger.answer("x1.db.example.test.", dns.TypeA))
			require.Equal(t, "SERVFAIL", nameless.answer("x1.db.example.test.", dns.TypeA))

			hurt()
			d.awaitAnswer(want, "x1.db.example.test.", dns.TypeA)
			admin := connectAs(t, "root", "of all", hosts...)
			put(t, admin, zone+"db/x1", `{"host":"10.0.0.2"}`)
			d.awaitAnswer("x1.db.example.test. 300 A 10.0.0.2", "x1.db.example.test.", dns.TypeA)
			require.Equal(t, "SERVFAIL", stranger.answer("x1.db.example.test.", dns.TypeA))
		})
	}
}

// TestCoreDNSShowsACertificate has it reach a store by TLS, which knows users by the names in their certificates.
func TestCoreDNSShowsACertificate(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, plain string, flags ...string){"zkine": zkineWith, "etcd": etcdWith} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := zktest.NewAuthority(t)
			own := zktest.Issue(t, authority, pkix.Name{CommonName: "store"}, "127.0.0.1")
			addresses, err := rig.FreeAddresses(2)
			require.NoError(t, err)
			urls := "http://" + addresses[0] + ",https://" + addresses[1]
			start(t, addresses[0], "--listen-client-urls="+urls, "--advertise-client-urls="+urls, "--cert-file="+own.CertFile,
				"--key-file="+own.KeyFile, "--trusted-ca-file="+authority.CertFile(), "--client-cert-auth")
			c := connect(t, addresses[0])
			put(t, c, zone+"db/x1", `{"host":"10.0.0.1"}`)
			allowDNS(t, c)
			answers := map[string]string{"coredns": "x1.db.example.test. 300 A 10.0.0.1", "stranger": "SERVFAIL"}
			for user, want := range answers {
				shown := zktest.Issue(t, authority, pkix.Name{CommonName: user})
				d := newCoreDNS(t, "endpoint https://"+addresses[1],
					strings.Join([]string{"tls", shown.CertFile, shown.KeyFile, authority.CertFile()}, " "))
				require.Equal(t, want, d.answer("x1.db.example.test.", dns.TypeA), user)
			}
		})
	}
}

// zkineWith starts a zkine with flags that have it serve at an address.
func zkineWith(t *testing.T, address string, flags ...string) {
	t.Helper()
	z, err := rig.NewZkine(rig.ZkineConfig{
		Program: rigtest.Program(t), Name: "default", DataDir: t.TempDir(), ZooKeeper: zktest.Shared(t).Addr(),
		Root: zktest.Root(t), Args: append(flags, "--bcrypt-cost=4", patient),
	})
	require.NoError(t, err)
	z.Endpoint = address
	t.Cleanup(z.Kill)
	require.NoError(t, z.Up(within(t)))
}

// etcdWith does the same with an etcd.
func etcdWith(t *testing.T, address string, flags ...string) {
	t.Helper()
	e, err := rig.NewEtcd(rig.EtcdConfig{Program: rigtest.Component(t, "etcd"), Name: "etcd", DataDir: t.TempDir(), Args: append(flags, "--bcrypt-cost=4")})
	require.NoError(t, err)
	e.Endpoint = address
	t.Cleanup(e.Kill)
	require.NoError(t, e.Up(within(t)))
}

// allowDNS has users count: root, who may do all, and coredns, who may read the names.
func allowDNS(t *testing.T, c *clientv3.Client) {
	t.Helper()
	ctx := within(t)
	steps := []func() error{
		func() error { _, err := c.UserAdd(ctx, "root", "of all"); return err },
		func() error { _, err := c.RoleAdd(ctx, "root"); return err },
		func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := c.UserAdd(ctx, "coredns", "secret"); return err },
		func() error { _, err := c.RoleAdd(ctx, "names"); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, "names", "/skydns/", clientv3.GetPrefixRangeEnd("/skydns/"), clientv3.PermissionType(clientv3.PermRead))
			return err
		},
		func() error { _, err := c.UserGrantRole(ctx, "coredns", "names"); return err },
		func() error { _, err := c.AuthEnable(ctx); return err },
	}
	for _, step := range steps {
		require.NoError(t, step())
	}
}

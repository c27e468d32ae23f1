package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/server/listener"
)

// Bounds of what makes sense; beyond them something was mistyped.
const (
	minZooKeeperRequest = 64 << 10 // revision sends no smaller ones
	maxZooKeeperRequest = 64 << 20
	maxClientRequest    = 512 << 20
	minSessionTimeout   = time.Second
	maxSessionTimeout   = 10 * time.Minute
)

// check refuses what cannot be and fills in what depends on the machine. from
// names the environment variables that set flags, for the errors.
func (c *config) check(flags *pflag.FlagSet, from map[string]string) error {
	v := checker{flags: flags, from: from}
	v.servers(&c.zookeeper)
	v.root(c.root)
	v.duration("zookeeper-session-timeout", c.sessionTimeout, minSessionTimeout, maxSessionTimeout)
	v.between("max-zookeeper-request", int64(c.maxRequest), minZooKeeperRequest, maxZooKeeperRequest, bytes)
	if c.dataDir == "" {
		v.refuse("data-dir", "no folder is named", "write one like ./zkine-data")
	}
	c.security.check(&v, c.zookeeper)
	c.cluster.check(&v)
	v.memberName(&c.name)
	v.urls("listen-client-urls", c.clientURLs, "http", "https", "unix", "unixs")
	v.urls("advertise-client-urls", c.advertiseURLs, "http", "https", "unix", "unixs")
	v.urls("listen-metrics-urls", c.metricsURLs, "http", "https", "unix", "unixs")
	if len(c.clientURLs) == 0 {
		v.refuse("listen-client-urls", "no URL is named", "write one like http://127.0.0.1:2379")
	}
	c.front.check(&v)
	if !c.front.autoTLS || c.tls.Given() {
		v.certificate(c.tls, slices.Concat(c.clientURLs, c.front.httpURLs, c.metricsURLs))
	}
	v.allowedHostnames(c.tls)
	c.limits.check(&v)
	v.between("max-request-bytes", int64(c.maxRequestBytes), 1, maxClientRequest, bytes)
	v.between("max-txn-ops", int64(c.maxTxnOps), 1, 1<<20, plain)
	v.duration("watch-progress-notify-interval", c.progressInterval, 100*time.Millisecond, 24*time.Hour)
	c.leaderLoss.check(&v)
	c.auth.check(&v)
	c.housekeeping.check(&v)
	c.archive.checkServer(&v)
	c.checkHeap(&v)
	c.tracing.check(&v, c.name)
	c.logging.check(&v)
	c.autoCompaction = c.compaction.check(&v)
	return v.err()
}

func bytes(n int64) string { return strconv.FormatInt(n, 10) + " bytes" }
func plain(n int64) string { return strconv.FormatInt(n, 10) }

// checker checks the values of a command's flags, and keeps the first that is
// wrong.
type checker struct {
	flags *pflag.FlagSet
	// from has the environment variable of each flag that was set by one.
	from  map[string]string
	first *problem
}

// err is the first problem; nil if there is none.
func (v *checker) err() error {
	if v.first == nil {
		return nil // not a *problem that is nil: that would be an error
	}
	return v.first
}

// refuse notes that a flag's value cannot be. The error names what the value
// came from: the flag or its variable.
func (v *checker) refuse(flag, what, remedy string) {
	source := "--" + flag
	if name := v.from[flag]; name != "" {
		source = name
	}
	if v.first == nil {
		v.first = &problem{thing: source, what: what, remedy: remedy, usage: true}
	}
}

func (v *checker) between(flag string, n, low, high int64, show func(int64) string) {
	if n < low || n > high {
		v.refuse(flag, show(n)+" is out of bounds", fmt.Sprintf("choose from %s to %s", show(low), show(high)))
	}
}

func (v *checker) duration(flag string, d, low, high time.Duration) {
	v.between(flag, int64(d), int64(low), int64(high), func(n int64) string { return time.Duration(n).String() })
}

func (v *checker) oneOf(flag, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.refuse(flag, fmt.Sprintf("%q is not known", value), "choose one of "+strings.Join(allowed, ", "))
	}
}

// root checks the znode that holds everything.
func (v *checker) root(path string) {
	if err := zkroot.CheckRoot(path); err != nil {
		v.refuse("zookeeper-root", err.Error(), "name a znode like /zkine")
	}
}

// servers checks ZooKeeper's addresses and adds the ports that were left out.
func (v *checker) servers(list *[]string) {
	const flag = "zookeeper"
	if v.flags.Changed(flag) && len(*list) == 0 {
		v.refuse(flag, "no server is named", serversExample+", or leave the flag out for a local ZooKeeper")
	}
	parsed, bad := parseServers(*list)
	if bad != nil {
		v.refuse(flag, bad.what, bad.remedy)
		return
	}
	*list = parsed
}

// memberName fills in the host's name and refuses what cannot name a znode.
func (v *checker) memberName(name *string) {
	if *name == "" {
		host, err := os.Hostname()
		if err != nil {
			v.refuse("name", fmt.Sprintf("the host's name is not known: %v", err), "name this member with --name")
			return
		}
		*name = host
	}
	odd := func(r rune) bool { return r == '/' || !unicode.IsPrint(r) }
	if *name == "." || *name == ".." || strings.ContainsFunc(*name, odd) {
		v.refuse("name", fmt.Sprintf("%q cannot name a znode", *name), "use letters, digits and dashes")
	}
}

// checkHeap refuses a heap that cannot be, and notes what the operator chose.
func (c *config) checkHeap(v *checker) {
	chosen := func(flag string) bool { return v.flags.Changed(flag) || v.from[flag] != "" }
	c.chosen.request = chosen("max-zookeeper-request")
	c.chosen.quota = chosen("quota-backend-bytes") && c.quotaBytes != 0
	if len(c.zookeeper) > 0 || c.localHeap == 0 {
		return
	}
	v.between("local-zookeeper-heap", int64(c.localHeap), embedded.MinHeap, max(largestHeap(machineMemory()), embedded.MinHeap), bytesize.AtMost)
	if c.chosen.request && embedded.Capacity(int64(c.localHeap), c.maxRequest) < leastQuota {
		v.refuse("local-zookeeper-heap", fmt.Sprintf("%s leaves no room beside 500 requests of --max-zookeeper-request=%d", bytesize.Text(int64(c.localHeap)), c.maxRequest),
			"choose "+bytesize.AtLeast(embedded.HeapFor(leastQuota, c.maxRequest))+" or more, or leave --max-zookeeper-request out")
	}
}

// urls checks listen or advertised URLs, and trims the spaces around them.
func (v *checker) urls(flag string, list []string, schemes ...string) {
	for i, u := range list {
		list[i] = strings.TrimSpace(u)
		if what := checkURL(list[i], schemes); what != "" {
			v.refuse(flag, what, "write URLs like http://127.0.0.1:2379 or unix:///run/zkine.sock")
			return
		}
	}
}

// certificate checks that there is one if a URL needs it; what is in the files
// is the server's to check.
func (v *checker) certificate(t listener.TLS, urls []string) {
	secure := slices.IndexFunc(urls, func(u string) bool {
		return strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "unixs://")
	})
	switch {
	case secure >= 0 && t.CertFile == "":
		v.refuse("cert-file", "no certificate is named for "+urls[secure], "name its PEM file, and the key's with --key-file")
	case secure >= 0 && t.KeyFile == "":
		v.refuse("key-file", "no key is named for the certificate "+t.CertFile, "name its PEM file")
	}
}

// checkURL says what is wrong with a URL; "" if nothing.
func checkURL(raw string, schemes []string) string {
	scheme, rest, found := strings.Cut(raw, "://")
	switch {
	case strings.Contains(raw, "@") && !strings.HasPrefix(scheme, "unix"): // not repeated here
		return "a URL has a user or a password before its host, of which zkine makes no use"
	case !found:
		return fmt.Sprintf("%q is not a URL", raw)
	case !slices.Contains(schemes, scheme):
		return fmt.Sprintf("%q begins with none of %s://", raw, strings.Join(schemes, "://, "))
	case strings.HasPrefix(scheme, "unix"):
		if rest == "" {
			return fmt.Sprintf("%q names no socket", raw)
		}
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Sprintf("%q is not a URL", raw)
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return fmt.Sprintf("%q has no host and port", raw)
	}
	if u.Path != "" && u.Path != "/" {
		return fmt.Sprintf("%q has a path", raw)
	}
	return ""
}

// time reads a time. One without a zone would mean another moment on each machine.
func (v *checker) time(flag, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		v.refuse(flag, fmt.Sprintf("%q is not a time", text), "write one like 2026-11-28T12:03:00Z, with a zone")
	}
	return at
}

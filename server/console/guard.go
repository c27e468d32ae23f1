package console

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/pkg/v3/httputil"
)

const (
	// mostReads is how many reads there may be at once, and readTurn how long one waits for its turn.
	mostReads = 8
	readTurn  = 2 * time.Second
	// readTime bounds one read.
	readTime = 10 * time.Second
	// mostWatches is how many watches there may be at once.
	mostWatches = 16
)

// policy is what the browser may do on the page: nothing but run its own script, and ask where it came from. Scripts
// cannot make markup of text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard is what each request passes first.
type guard struct {
	hosts   []string
	origins *http.CrossOriginProtection
	turns   chan struct{}
	live    chan struct{}
}

func newGuard(cfg Config) *guard {
	return &guard{
		hosts:   slices.DeleteFunc(slices.Clone(cfg.Hosts), func(h string) bool { return h == "*" || h == "" }),
		origins: http.NewCrossOriginProtection(),
		turns:   make(chan struct{}, mostReads), live: make(chan struct{}, mostWatches),
	}
}

// wrap serves a request that may come in, with the headers that keep the page to itself.
func (g *guard) wrap(next http.Handler) http.Handler {
	next = g.origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS == nil && !g.knows(httputil.GetHostname(r)) {
			http.Error(w, fmt.Sprintf("the console is served under no host called %q: use an address or localhost, or https, or name the host in --host-whitelist, as a web page may have chosen the name", r.Host),
				http.StatusMisdirectedRequest)
			return
		}
		// Another port of the same machine is the same site.
		if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			http.Error(w, "another page asks", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knows says whether a host cannot be one that a web page has led here: an address, localhost, or one that the operator
// has named. With TLS the certificate stands for the name.
func (g *guard) knows(host string) bool {
	host = strings.Trim(host, "[]")
	return host == "" || host == "localhost" || net.ParseIP(host) != nil || slices.Contains(g.hosts, host)
}

// turn waits for a read's turn, and bounds its time. end must be called if there is no error.
func (g *guard) turn(ctx context.Context) (limited context.Context, end func(), err error) {
	wait := time.NewTimer(readTurn)
	defer wait.Stop()
	select {
	case g.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case <-wait.C:
		return nil, nil, refusal{http.StatusServiceUnavailable, "too many reads of the console are under way; try again"}
	}
	limited, cancel := context.WithTimeout(ctx, readTime)
	return limited, func() { cancel(); <-g.turns }, nil
}

// watches serves as many watches as there may be.
func (g *guard) watches(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case g.live <- struct{}{}:
			defer func() { <-g.live }()
			next.ServeHTTP(w, r)
		default:
			fail(w, refusal{http.StatusServiceUnavailable, fmt.Sprintf("there are %d watches of consoles already; end one", mostWatches)})
		}
	})
}

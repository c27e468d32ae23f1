package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
)

const (
	clientURLsFlag  = "--listen-client-urls"
	httpURLsFlag    = "--listen-client-http-urls"
	metricsURLsFlag = "--listen-metrics-urls"
)

// Reuse says how far the port of an http:// or https:// URL may be in use.
type Reuse struct {
	// Port lets several processes of one user listen on a port, each with a share
	// of its connections (SO_REUSEPORT).
	Port bool
	// Address lets a port be bound of which connections are still closing
	// (SO_REUSEADDR). Go does so by itself, except on Windows.
	Address bool
}

// Listen binds the sockets of the client URLs, in their order. It needs
// nothing else of the server, so that a port in use can be reported before
// anything is started. On an error nothing stays bound.
func Listen(urls []string) ([]net.Listener, error) { return Reuse{}.Listen(urls) }

// ListenMetrics does for the metrics URLs what Listen does for the clients'.
func ListenMetrics(urls []string) ([]net.Listener, error) { return Reuse{}.ListenMetrics(urls) }

// Listen is the function Listen, with ports that may be in use.
func (r Reuse) Listen(urls []string) ([]net.Listener, error) { return r.all(clientURLsFlag, urls) }

// ListenHTTP does for the URLs that serve HTTP alone what Listen does for the
// clients'.
func (r Reuse) ListenHTTP(urls []string) ([]net.Listener, error) { return r.all(httpURLsFlag, urls) }

// ListenMetrics is the function ListenMetrics, with ports that may be in use.
func (r Reuse) ListenMetrics(urls []string) ([]net.Listener, error) {
	return r.all(metricsURLsFlag, urls)
}

func (r Reuse) all(flag string, urls []string) ([]net.Listener, error) {
	var bound []net.Listener
	for _, u := range urls {
		l, err := r.one(flag, u)
		if err != nil {
			CloseAll(bound)
			return nil, err
		}
		bound = append(bound, l)
	}
	return bound, nil
}

// CloseAll closes sockets.
func CloseAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// one binds one URL. flag is named in errors, as the thing to change.
func (r Reuse) one(flag, rawURL string) (net.Listener, error) {
	// As in etcd, unix://name is relative and unix:///name absolute. Such a
	// name need not parse as a URL.
	if path, ok := strings.CutPrefix(rawURL, "unix://"); ok {
		return listenUnix(flag, rawURL, path)
	}
	if path, ok := strings.CutPrefix(rawURL, "unixs://"); ok {
		return secured(listenUnix(flag, rawURL, path))
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("listen URL %q in %s: %w", rawURL, flag, err)
	}
	switch u.Scheme {
	case "http":
		return r.listenTCP(flag, rawURL, u)
	case "https":
		return secured(r.listenTCP(flag, rawURL, u))
	default:
		return nil, fmt.Errorf("listen URL %q in %s: must begin with http://, https://, unix:// or unixs://", rawURL, flag)
	}
}

// secureListener is the socket of a URL that says TLS.
type secureListener struct{ net.Listener }

func secured(l net.Listener, err error) (net.Listener, error) {
	if err != nil {
		return nil, err
	}
	return secureListener{l}, nil
}

// IsSecure says whether a socket that Listen has bound is that of a URL with TLS.
func IsSecure(l net.Listener) bool {
	_, ok := l.(secureListener)
	return ok
}

// BoundURL is the URL of a socket that Listen has bound, with the port that it
// really has.
func BoundURL(l net.Listener) string {
	scheme := "http"
	if l.Addr().Network() == "unix" {
		scheme = "unix"
	}
	if IsSecure(l) {
		scheme += "s"
	}
	return scheme + "://" + l.Addr().String()
}

func (r Reuse) listenTCP(flag, rawURL string, u *url.URL) (net.Listener, error) {
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return nil, fmt.Errorf("listen URL %q in %s: must be %s://host:port", rawURL, flag, u.Scheme)
	}
	if u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("listen URL %q in %s: must not have a path", rawURL, flag)
	}
	config := net.ListenConfig{Control: r.control}
	l, err := config.Listen(context.Background(), "tcp", u.Host)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, inUse(flag, rawURL, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	return l, nil
}

func inUse(flag, rawURL string, err error) error {
	text := "listen address %s is in use: %w; choose another with %s"
	if flag == metricsURLsFlag {
		text += ", such as http://127.0.0.1:2391, or none with an empty value"
	}
	return fmt.Errorf(text, rawURL, err, flag)
}

package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	clientURLsFlag  = "--listen-client-urls"
	metricsURLsFlag = "--listen-metrics-urls"
)

// Listen binds the sockets of the client URLs, in their order. It needs
// nothing else of the server, so that a port in use can be reported before
// anything is started. On an error nothing stays bound.
func Listen(urls []string) ([]net.Listener, error) { return listenAll(clientURLsFlag, urls) }

// ListenMetrics does for the metrics URLs what Listen does for the clients'.
func ListenMetrics(urls []string) ([]net.Listener, error) { return listenAll(metricsURLsFlag, urls) }

func listenAll(flag string, urls []string) ([]net.Listener, error) {
	var bound []net.Listener
	for _, u := range urls {
		l, err := listenOne(flag, u)
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

// listenOne binds one URL. flag is named in errors, as the thing to change.
func listenOne(flag, rawURL string) (net.Listener, error) {
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
		return listenTCP(flag, rawURL, u)
	case "https":
		return secured(listenTCP(flag, rawURL, u))
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

func listenTCP(flag, rawURL string, u *url.URL) (net.Listener, error) {
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return nil, fmt.Errorf("listen URL %q in %s: must be %s://host:port", rawURL, flag, u.Scheme)
	}
	if u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("listen URL %q in %s: must not have a path", rawURL, flag)
	}
	l, err := net.Listen("tcp", u.Host)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, inUse(flag, rawURL, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	return l, nil
}

func inUse(flag, rawURL string, err error) error {
	return fmt.Errorf("listen address %s is in use: %w; choose another with %s", rawURL, err, flag)
}

// listenUnix binds a socket that only this user may connect to. A socket file
// left behind by a process that is gone is replaced; one that answers, or a
// file that is no socket, is an error. The folder is locked during that, so
// that of two that start at once neither removes the other's socket.
func listenUnix(flag, rawURL, path string) (net.Listener, error) {
	if path == "" {
		return nil, fmt.Errorf("listen URL %q in %s: must be unix://path or unixs://path", rawURL, flag)
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	defer unlock()
	if err := removeStaleSocket(path); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, inUse(flag, rawURL, err)
		}
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	// The mode is set before the bind, which creates the file, so that there
	// is no moment at which others may connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", rawURL, err)
	}
	return l, nil
}

func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return syscall.EADDRINUSE
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil // closing unlocks
}

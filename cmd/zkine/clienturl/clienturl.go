// Package clienturl reads over HTTP what a zkine serves on its own URLs, as they are
// written for --listen-client-urls, --listen-metrics-urls and --advertise-client-urls:
// health and metrics.
package clienturl

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Answer is what a zkine has answered.
type Answer struct {
	// Code is HTTP's, Status the same with its words.
	Code   int
	Status string
	// Body is as much of it as was asked for.
	Body []byte
}

// ErrURL says that a text is no URL.
var ErrURL = errors.New("no URL")

// Get reads a path, such as /readyz, at a URL, and at most so many bytes of it. An
// address that stands for all of a machine, or none, is this machine's. config is for
// https:// and unixs://. Errors: ErrURL, ctx's cause,
// config's, the network's.
func Get(ctx context.Context, at, path string, config func() (*tls.Config, error), most int64) (*Answer, error) {
	scheme, network, address := parse(at)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	host := address
	if network == "unix" {
		host = "localhost"
	}
	base := "http://"
	if scheme == "https" || scheme == "unixs" {
		base = "https://"
		var err error
		if transport.TLSClientConfig, err = config(); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+host+path, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, plain(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return nil, plain(ctx, err)
	}
	return &Answer{resp.StatusCode, resp.Status, body}, nil
}

// ErrTLS says that a URL is reached, and that there is no TLS with what listens there.
var ErrTLS = errors.New("no TLS connection")

// Reach says whether a connection to a URL comes about, with TLS where that is asked for.
// Errors: ErrTLS, ctx's cause, config's, the network's.
func Reach(ctx context.Context, at string, config func() (*tls.Config, error)) error {
	scheme, network, address := parse(at)
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return plain(ctx, err)
	}
	defer conn.Close()
	if scheme != "https" && scheme != "unixs" {
		return nil
	}
	own, err := config()
	if err != nil {
		return err
	}
	if own = own.Clone(); own.ServerName == "" {
		own.ServerName, _, _ = net.SplitHostPort(address)
	}
	if err := tls.Client(conn, own).HandshakeContext(ctx); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrTLS, err)
		}
		return plain(ctx, err)
	}
	return nil
}

// WantsTLS says whether what listens at a URL without TLS speaks it, as far as it tells
// until ctx ends. Nothing is sent to it but a handshake.
func WantsTLS(ctx context.Context, at string) bool {
	scheme, network, address := parse(at)
	if scheme == "https" || scheme == "unixs" {
		return false
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	defer conn.Close()
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) //nolint:gosec // nothing of it is believed
	var refused tls.AlertError                                                          // such as for want of a certificate
	return err == nil || errors.As(err, &refused)
}

// parse takes a URL apart, for net.Dial.
func parse(at string) (scheme, network, address string) {
	scheme, address, _ = strings.Cut(strings.TrimSuffix(at, "/"), "://")
	if strings.HasPrefix(scheme, "unix") {
		return scheme, "unix", address
	}
	if name, port, err := net.SplitHostPort(address); err == nil {
		if ip := net.ParseIP(name); name == "" || ip != nil && ip.IsUnspecified() {
			address = net.JoinHostPort("localhost", port)
		}
	}
	return scheme, "tcp", address
}

// plain is an error without the URL that net/http puts before it, or why ctx ended.
func plain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

package main

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/zkine/zkine/server/listener"
)

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

package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/zkine/zkine/server/listener"
)

// boundURLs are the URLs of sockets, with the ports that they really have.
func boundURLs(listeners []net.Listener) []string {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, listener.BoundURL(l))
	}
	return urls
}

// reachable replaces the address of a socket that listens everywhere by one
// that can be dialled from this machine.
func reachable(l net.Listener) string {
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		scheme, _, _ := strings.Cut(listener.BoundURL(l), "://")
		return fmt.Sprintf("%s://127.0.0.1:%d", scheme, a.Port)
	}
	return listener.BoundURL(l)
}

// listensEverywhere tells whether some socket has no address of its own, which
// is none to advertise.
func listensEverywhere(listeners []net.Listener) bool {
	for _, l := range listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
			return true
		}
	}
	return false
}

// readyLine says what to point at zkine.
func readyLine(listeners []net.Listener) string {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, reachable(l))
	}
	list := strings.Join(urls, ",")
	return fmt.Sprintf("zkine is ready: etcdctl --endpoints=%s, kube-apiserver --etcd-servers=%s", list, list)
}

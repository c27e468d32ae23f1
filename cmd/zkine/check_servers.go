package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	// zooKeeperPort is the clientPort of ZooKeeper's sample configuration.
	zooKeeperPort  = "2181"
	serversExample = "write it like zk1:2181,zk2:2181,zk3:2181"
	// quorumPort is by custom where ZooKeeper's servers talk to each other.
	quorumPort = "2888"
)

// badServer is what is wrong with an address, and what to write instead.
type badServer struct{ what, remedy string }

// parseServers returns ZooKeeper's addresses, each as host:port, with the ports
// that were left out. Of those that cannot be it tells what is wrong with the
// first.
func parseServers(list []string) ([]string, *badServer) {
	var parsed []string
	for _, server := range list {
		server = strings.TrimSpace(server)
		if server == "" {
			left := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.TrimSpace(s) == "" })
			return nil, &badServer{"a server between commas is empty", instead(strings.Join(left, ","))}
		}
		address, bad := parseServer(server)
		if bad != nil {
			return nil, bad
		}
		if slices.ContainsFunc(parsed, func(other string) bool { return strings.EqualFold(other, address) }) {
			return nil, &badServer{fmt.Sprintf("%q is named twice", address), "name each server once"}
		}
		parsed = append(parsed, address)
	}
	return parsed, nil
}

func instead(text string) string {
	if text == "" {
		return serversExample
	}
	return "write " + text
}

// parseServer is parseServers for one of them, which is not empty.
func parseServer(server string) (string, *badServer) {
	if strings.Contains(server, "@") { // it is not repeated, then
		return "", &badServer{"a server has a user or a password before its host, of which zkine makes no use", serversExample}
	}
	if _, rest, found := strings.Cut(server, "://"); found {
		address, root, _ := strings.Cut(rest, "/")
		return "", &badServer{fmt.Sprintf("%q is a URL, and ZooKeeper's servers have none", server), withoutChroot(address, root)}
	}
	if address, root, found := strings.Cut(server, "/"); found {
		return "", &badServer{fmt.Sprintf("%q has a path", server), withoutChroot(address, root)}
	}
	separates := func(r rune) bool { return unicode.IsSpace(r) || r == ';' }
	if strings.ContainsFunc(server, separates) {
		return "", &badServer{fmt.Sprintf("%q is more than one server", server),
			"separate servers with commas: " + strings.Join(strings.FieldsFunc(server, separates), ",")}
	}
	if strings.ContainsAny(server, "[]") || strings.Count(server, ":") > 1 {
		return parseColons(server)
	}
	host, port, found := strings.Cut(server, ":")
	if !found {
		port = zooKeeperPort
	}
	if bad := checkHost(server, host); bad != nil {
		return "", bad
	}
	if bad := checkPort(server, host, port); bad != nil {
		return "", bad
	}
	return host + ":" + port, nil
}

// parseColons is parseServer for what has brackets, or several colons.
func parseColons(server string) (string, *badServer) {
	if inner, ok := strings.CutPrefix(server, "["); ok {
		host, port, closed := strings.Cut(inner, "]")
		ip, err := netip.ParseAddr(host)
		switch {
		case !closed:
			return "", &badServer{fmt.Sprintf("%q has a bracket that is not closed", server), "write an IPv6 address like [::1]:" + zooKeeperPort}
		case err != nil || !ip.Is6():
			return "", &badServer{fmt.Sprintf("%q has brackets, which are for IPv6 addresses", server), instead(strings.NewReplacer("[", "", "]", "").Replace(server))}
		case port == "":
			return net.JoinHostPort(host, zooKeeperPort), nil
		case port[0] != ':':
			return "", &badServer{fmt.Sprintf("%q is not host:port", server), fmt.Sprintf("write [%s]:%s", host, zooKeeperPort)}
		}
		if bad := checkPort(server, "["+host+"]", port[1:]); bad != nil {
			return "", bad
		}
		return net.JoinHostPort(host, port[1:]), nil
	}
	if strings.ContainsAny(server, "[]") {
		return "", &badServer{fmt.Sprintf("%q has a bracket that does not belong there", server), "write an IPv6 address like [::1]:" + zooKeeperPort}
	}
	last := strings.LastIndexByte(server, ':')
	host, port := server[:last], server[last+1:]
	const bare = "%q is an IPv6 address without brackets"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && len(port) >= len(zooKeeperPort) && checkPort(server, host, port) == nil {
		return "", &badServer{fmt.Sprintf(bare, server), fmt.Sprintf("write [%s]:%s", host, port)}
	}
	if ip, err := netip.ParseAddr(server); err == nil && ip.Is6() {
		return "", &badServer{fmt.Sprintf(bare, server), fmt.Sprintf("write [%s]:%s", server, zooKeeperPort)}
	}
	host, port, _ = strings.Cut(server, ":")
	port, _, _ = strings.Cut(port, ":")
	if port == quorumPort { // as in a line server.1=zk1:2888:3888 of zoo.cfg
		port = zooKeeperPort
	}
	remedy := serversExample
	if checkHost(server, host) == nil && checkPort(server, host, port) == nil {
		remedy = instead(host + ":" + port)
	}
	return "", &badServer{fmt.Sprintf("%q has more than one port", server), remedy}
}

// withoutChroot says what to write instead of an address with a path, as ZooKeeper's
// own clients take it.
func withoutChroot(address, root string) string {
	if parsed, bad := parseServer(address); address != "" && bad == nil {
		address = parsed
	} else if bad != nil || address == "" {
		return serversExample
	}
	if root = strings.Trim(root, "/"); root != "" {
		return fmt.Sprintf("write %s, and --zookeeper-root=/%s", address, root)
	}
	return "write " + address
}

// checkHost says what is wrong with a host that is no IPv6 address.
func checkHost(server, host string) *badServer {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	}
	switch {
	case host == "":
		return &badServer{fmt.Sprintf("%q names no host", server), serversExample}
	case strings.ContainsFunc(host, odd):
		return &badServer{fmt.Sprintf("%q is not host:port", server), serversExample}
	}
	digits := !strings.ContainsFunc(host, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' })
	if _, err := netip.ParseAddr(host); digits && err != nil {
		return &badServer{fmt.Sprintf("%q begins with no IPv4 address", server), serversExample}
	}
	return nil
}

func checkPort(server, host, port string) *badServer {
	n, err := strconv.Atoi(port)
	switch {
	case port == "":
		return &badServer{fmt.Sprintf("%q names no port", server), instead(host + ":" + zooKeeperPort)}
	case err != nil || strings.ContainsAny(port, "+-"):
		return &badServer{fmt.Sprintf("%q is not host:port", server), serversExample}
	case n < 1 || n > 65535:
		return &badServer{fmt.Sprintf("%q has a port that cannot be", server), "choose from 1 to 65535; ZooKeeper's is " + zooKeeperPort}
	}
	return nil
}

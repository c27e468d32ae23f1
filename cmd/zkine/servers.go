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
	serversExample = "write it like zk1:2181,zk2:2181,zk3:2181"
	// quorumPort is where ZooKeeper's servers talk to each other by custom.
	quorumPort = "2888"
)

// wrong is what is the matter with a value, and what to write instead.
type wrong struct{ what, remedy string }

// tidyServers returns ZooKeeper's addresses, each as host:port, with the ports
// that were left out. Of those that cannot be it tells what is wrong with the
// first.
func tidyServers(list []string) ([]string, *wrong) {
	var tidied []string
	for _, server := range list {
		server = strings.TrimSpace(server)
		if server == "" {
			left := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.TrimSpace(s) == "" })
			return nil, &wrong{"a server between commas is empty", instead(strings.Join(left, ","))}
		}
		address, bad := tidyServer(server)
		if bad != nil {
			return nil, bad
		}
		if slices.ContainsFunc(tidied, func(other string) bool { return strings.EqualFold(other, address) }) {
			return nil, &wrong{fmt.Sprintf("%q is named twice", address), "name each server once"}
		}
		tidied = append(tidied, address)
	}
	return tidied, nil
}

func instead(text string) string {
	if text == "" {
		return serversExample
	}
	return "write " + text
}

// tidyServer is tidyServers for one of them, which is not empty.
func tidyServer(server string) (string, *wrong) {
	if _, rest, found := strings.Cut(server, "://"); found {
		address, root, _ := strings.Cut(rest, "/")
		return "", &wrong{fmt.Sprintf("%q is a URL, and ZooKeeper's servers have none", server), chrooted(address, root)}
	}
	if address, root, found := strings.Cut(server, "/"); found {
		return "", &wrong{fmt.Sprintf("%q has a path", server), chrooted(address, root)}
	}
	separates := func(r rune) bool { return unicode.IsSpace(r) || r == ';' }
	if strings.ContainsFunc(server, separates) {
		return "", &wrong{fmt.Sprintf("%q is more than one server", server),
			"separate servers with commas: " + strings.Join(strings.FieldsFunc(server, separates), ",")}
	}
	if strings.ContainsAny(server, "[]") || strings.Count(server, ":") > 1 {
		return tidyColons(server)
	}
	host, port, found := strings.Cut(server, ":")
	if !found {
		port = zooKeeperPort
	}
	if bad := wrongHost(server, host); bad != nil {
		return "", bad
	}
	if bad := wrongPort(server, host, port); bad != nil {
		return "", bad
	}
	return host + ":" + port, nil
}

// tidyColons is tidyServer for what has brackets, or several colons.
func tidyColons(server string) (string, *wrong) {
	if inner, ok := strings.CutPrefix(server, "["); ok {
		host, port, closed := strings.Cut(inner, "]")
		ip, err := netip.ParseAddr(host)
		switch {
		case !closed:
			return "", &wrong{fmt.Sprintf("%q has a bracket that is not closed", server), "write an IPv6 address like [::1]:" + zooKeeperPort}
		case err != nil || !ip.Is6():
			return "", &wrong{fmt.Sprintf("%q has brackets, which are for IPv6 addresses", server), instead(strings.NewReplacer("[", "", "]", "").Replace(server))}
		case port == "":
			return net.JoinHostPort(host, zooKeeperPort), nil
		case port[0] != ':':
			return "", &wrong{fmt.Sprintf("%q is not host:port", server), fmt.Sprintf("write [%s]:%s", host, zooKeeperPort)}
		}
		if bad := wrongPort(server, "["+host+"]", port[1:]); bad != nil {
			return "", bad
		}
		return net.JoinHostPort(host, port[1:]), nil
	}
	if strings.ContainsAny(server, "[]") {
		return "", &wrong{fmt.Sprintf("%q has a bracket that does not belong there", server), "write an IPv6 address like [::1]:" + zooKeeperPort}
	}
	last := strings.LastIndexByte(server, ':')
	host, port := server[:last], server[last+1:]
	const bare = "%q is an IPv6 address without brackets"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && len(port) >= len(zooKeeperPort) && wrongPort(server, host, port) == nil {
		return "", &wrong{fmt.Sprintf(bare, server), fmt.Sprintf("write [%s]:%s", host, port)}
	}
	if ip, err := netip.ParseAddr(server); err == nil && ip.Is6() {
		return "", &wrong{fmt.Sprintf(bare, server), fmt.Sprintf("write [%s]:%s", server, zooKeeperPort)}
	}
	host, port, _ = strings.Cut(server, ":")
	port, _, _ = strings.Cut(port, ":")
	if port == quorumPort { // as in a line server.1=zk1:2888:3888 of zoo.cfg
		port = zooKeeperPort
	}
	remedy := serversExample
	if wrongHost(server, host) == nil && wrongPort(server, host, port) == nil {
		remedy = instead(host + ":" + port)
	}
	return "", &wrong{fmt.Sprintf("%q has more than one port", server), remedy}
}

// chrooted says what to write instead of an address with a path, as ZooKeeper's
// own clients take it.
func chrooted(address, root string) string {
	if tidied, bad := tidyServer(address); address != "" && bad == nil {
		address = tidied
	} else if bad != nil || address == "" {
		return serversExample
	}
	if root = strings.Trim(root, "/"); root != "" {
		return fmt.Sprintf("write %s, and --zookeeper-root=/%s", address, root)
	}
	return "write " + address
}

// wrongHost judges a host that is no IPv6 address.
func wrongHost(server, host string) *wrong {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	}
	switch {
	case host == "":
		return &wrong{fmt.Sprintf("%q names no host", server), serversExample}
	case strings.ContainsFunc(host, odd):
		return &wrong{fmt.Sprintf("%q is not host:port", server), serversExample}
	}
	digits := !strings.ContainsFunc(host, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' })
	if _, err := netip.ParseAddr(host); digits && err != nil {
		return &wrong{fmt.Sprintf("%q begins with no IPv4 address", server), serversExample}
	}
	return nil
}

func wrongPort(server, host, port string) *wrong {
	n, err := strconv.Atoi(port)
	switch {
	case port == "":
		return &wrong{fmt.Sprintf("%q names no port", server), instead(host + ":" + zooKeeperPort)}
	case err != nil || strings.ContainsAny(port, "+-"):
		return &wrong{fmt.Sprintf("%q is not host:port", server), serversExample}
	case n < 1 || n > 65535:
		return &wrong{fmt.Sprintf("%q has a port that cannot be", server), "choose from 1 to 65535; ZooKeeper's is " + zooKeeperPort}
	}
	return nil
}

package zkclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// target is one address of a server.
type target struct {
	address string // host:port, as it is dialed
	label   string // as people know it
	host    string // as it was configured: a name, or an address
}

// Server is what sessions and their connections are to: the address, and the
// name if that is another.
func (t target) Server() string { return t.label }

const (
	// lookupTimeout bounds how long a name may take to be looked up.
	lookupTimeout = 5 * time.Second
	// lookupAgain is the pause before a name is looked up once more.
	lookupAgain = time.Second
)

// found is what a server's name leads to. If err is set, targets are what it
// led to before, where that may still hold.
type found struct {
	server  string
	targets []target
	err     error
}

// keepLookingUp looks a server's name up again and again while a race goes on:
// what moves to another machine has another address then.
func (r *race) keepLookingUp(server string) {
	for {
		targets, fixed, err := r.z.lookUp(r.ctx, server)
		select {
		case r.found <- found{server, targets, err}:
		case <-r.ctx.Done():
			return
		}
		if fixed {
			return
		}
		select {
		case <-time.After(jitter(nil, lookupAgain)):
		case <-r.ctx.Done():
			return
		}
	}
}

// lookUp returns a server's addresses; fixed says that they never change. If
// no name server could tell, and not if there are none, they are those known last: a
// name server that is away says nothing about where ZooKeeper is.
func (z *Ensemble) lookUp(ctx context.Context, server string) (targets []target, fixed bool, err error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, true, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []target{{server, server, host}}, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	lookup := z.Lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	addresses, err := lookup(ctx, host)
	if err == nil && len(addresses) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.known == nil {
		z.known = map[string][]target{}
	}
	if err != nil {
		if wrong := new(net.DNSError); errors.As(err, &wrong) && wrong.IsNotFound {
			delete(z.known, server)
			return nil, false, errors.New("its name leads to no address")
		}
		return z.known[server], false, errors.New("its name could not be looked up: " + plainly(err))
	}
	addresses = slices.Sorted(slices.Values(addresses))
	for _, a := range slices.Compact(addresses) {
		t := target{address: net.JoinHostPort(a, port), label: server, host: host}
		if len(addresses) > 1 {
			t.label = fmt.Sprintf("%s (%s)", server, a)
		}
		targets = append(targets, t)
	}
	for _, gone := range z.known[server] {
		if !slices.ContainsFunc(targets, func(t target) bool { return t.address == gone.address }) {
			delete(z.strange, gone.address)
			delete(z.refused, gone.address)
		}
	}
	z.known[server] = targets
	return targets, false, nil
}

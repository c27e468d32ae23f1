package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// asStranger, when set, makes this test binary another user of the host, who
// tries what is open to it. It holds a target.
const asStranger = "RUN_AS_STRANGER"

// target is what the stranger is told, to attack nothing else. It looks for the
// address itself.
type target struct {
	Addr, Dir string
	Pids      []int
	// Markers are what it must not get to see.
	Markers []string
}

// attempt is one of the stranger's, and what came of it.
type attempt struct {
	What string
	// Refused is the error; "" if it has succeeded.
	Refused string
	// Saw are the markers that were in what it got.
	Saw []string
}

// stranger prints its attempts, a line each.
func stranger(told string) {
	s := strangerOn{out: json.NewEncoder(os.Stdout)}
	if err := json.Unmarshal([]byte(told), &s.target); err != nil {
		panic(err)
	}
	s.try("find the port", func() (string, error) { return "", s.findPort() })
	s.sessions()
	s.files()
	s.processes()
	s.words()
}

type strangerOn struct {
	target
	out *json.Encoder
}

func (s *strangerOn) try(what string, f func() (string, error)) {
	got, err := f()
	a := attempt{What: what}
	if err != nil {
		a.Refused = err.Error()
	}
	for _, m := range s.Markers {
		if strings.Contains(got, m) {
			a.Saw = append(a.Saw, m)
		}
	}
	_ = s.out.Encode(a) // the parent misses what it does not get
}

// findPort looks among those who listen on a loopback address; Java does on a
// socket for both versions of IP.
func (s *strangerOn) findPort() error {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" {
				continue
			}
			_, digits, found := strings.Cut(f[1], "0100007F:")
			if port, err := strconv.ParseInt(digits, 16, 32); found && err == nil && fmt.Sprint("127.0.0.1:", port) == s.Addr {
				return nil
			}
		}
	}
	return errors.New("it does not listen")
}

// sessionAttempt is an attempt that takes a session.
type sessionAttempt struct {
	what string
	do   func(*zk.Conn) (string, error)
}

// sessionAttempts is everything that one may do with a znode; what breaks something
// comes last.
var sessionAttempts = []sessionAttempt{
	{"read everything", readTree},
	{"read the ensemble", func(c *zk.Conn) (string, error) {
		data, _, err := c.Get("/zookeeper/config")
		return string(data), err
	}},
	{"watch a record", func(c *zk.Conn) (string, error) {
		data, _, _, err := c.GetW("/zkine/format")
		return string(data), err
	}},
	{"watch for existence", func(c *zk.Conn) (string, error) {
		_, _, _, err := c.ExistsW("/zkine/format")
		return "", err
	}},
	{"watch a folder", func(c *zk.Conn) (string, error) {
		names, _, _, err := c.ChildrenW("/zkine/log")
		return strings.Join(names, " "), err
	}},
	{"read an ACL", func(c *zk.Conn) (string, error) {
		acl, _, err := c.GetACL("/zkine")
		return fmt.Sprint(acl), err
	}},
	{"check in a multi", func(c *zk.Conn) (string, error) {
		return "", multi(c, &zk.CheckVersionRequest{Path: "/zkine/format", Version: -1})
	}},
	{"create below /", createAt("/mine", 0)},
	{"create below the root", createAt("/zkine/mine", 0)},
	{"create an ephemeral", createAt("/zkine/members/mine", zk.FlagEphemeral)},
	{"create a quota", createAt("/zookeeper/quota/zkine", 0)},
	{"reconfigure", func(c *zk.Conn) (string, error) {
		_, err := c.IncrementalReconfig([]string{"server.2=127.0.0.1:1:2;3"}, nil, -1)
		return "", err
	}},
	{"take the top's ACL", setACL("/")},
	{"take an ACL", setACL("/zkine/format")},
	{"set a record", func(c *zk.Conn) (string, error) {
		_, err := c.Set("/zkine/log", []byte("{}"), -1)
		return "", err
	}},
	{"delete", func(c *zk.Conn) (string, error) { return "", c.Delete("/zkine/mine", -1) }},
	{"delete in a multi", func(c *zk.Conn) (string, error) {
		return "", multi(c, &zk.DeleteRequest{Path: "/zkine/format", Version: -1})
	}},
}

func createAt(path string, flags int32) func(*zk.Conn) (string, error) {
	return func(c *zk.Conn) (string, error) { return c.Create(path, nil, flags, zk.WorldACL(zk.PermAll)) }
}

func setACL(path string) func(*zk.Conn) (string, error) {
	return func(c *zk.Conn) (string, error) {
		_, err := c.SetACL(path, zk.WorldACL(zk.PermAll), -1)
		return "", err
	}
}

// credentials are those that a stranger may come with: none, any, and guesses.
var credentials = []string{"", "any:thing", "zkine:guess", "super:guess"}

// sessions try all that with each.
func (s *strangerOn) sessions() {
	for _, credential := range credentials {
		who := credential
		if who == "" {
			who = "anonymous"
		}
		for _, a := range sessionAttempts {
			s.try(who+": "+a.what, func() (string, error) { return s.session(credential, a.do) })
		}
	}
}

func multi(c *zk.Conn, op any) error {
	results, err := c.Multi(op)
	if err == nil && len(results) > 0 {
		err = results[0].Error
	}
	return err
}

// errTurnedAway stands for a server that ends the connection.
var errTurnedAway = errors.New("the server ended the connection")

// session opens one for a single attempt, which has the connection's end for an
// answer, too: the client would go on for ever.
func (s *strangerOn) session(credential string, f func(*zk.Conn) (string, error)) (string, error) {
	var conn *zk.Conn
	ended := make(chan struct{}, 64)
	conn, events, err := zk.Connect([]string{s.Addr}, 20*time.Second, zk.WithLogInfo(false), zk.WithLogger(noLog{}))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	up := make(chan struct{}, 64)
	go func() { // it ends when the client is closed
		for e := range events {
			switch e.State {
			case zk.StateHasSession:
				up <- struct{}{}
			case zk.StateDisconnected:
				ended <- struct{}{}
			}
		}
	}()
	select {
	case <-up:
	case <-time.After(limit):
		return "", errors.New("no session is granted")
	}
	type result struct {
		got string
		err error
	}
	done := make(chan result, 1)
	go func() { // it ends when the client is closed
		if credential != "" {
			if err := conn.AddAuth("digest", []byte(credential)); err != nil {
				done <- result{"", err}
				return
			}
		}
		got, err := f(conn)
		done <- result{got, err}
	}()
	select {
	case r := <-done:
		return r.got, r.err
	case <-ended:
		return "", errTurnedAway
	}
}

type noLog struct{}

func (noLog) Printf(string, ...any) {}

// readTree reads every znode that it comes to, and goes on at those that it may
// not read: their names may be known. Its error is the first if it has read nothing.
func readTree(c *zk.Conn) (string, error) {
	var all strings.Builder
	var first error
	read := 0
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	known := map[string][]string{"/": {"zkine", "zookeeper"}, "/zkine": {"log", "format", "members", "checkpoint", "stage", "pack"}, "/zookeeper": {"quota", "config"}}
	var visit func(at string)
	visit = func(at string) {
		if data, _, err := c.Get(at); err != nil {
			note(err)
		} else {
			read++
			all.Write(data)
		}
		names, _, err := c.Children(at)
		if err != nil {
			note(err)
			names = known[at]
		}
		for _, name := range names {
			visit(path.Join(at, name))
		}
	}
	visit("/")
	if read > 0 {
		first = nil
	}
	return all.String(), first
}

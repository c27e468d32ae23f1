package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
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

// findPort asks everyone who listens on a loopback address whether it is a
// ZooKeeper.
func (s *strangerOn) findPort() error {
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return err
	}
	defer table.Close()
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" || !strings.HasPrefix(fields[1], "0100007F:") {
			continue
		}
		port, err := strconv.ParseInt(fields[1][len("0100007F:"):], 16, 32)
		if addr := fmt.Sprint("127.0.0.1:", port); err == nil && addr == s.Addr {
			return nil
		}
	}
	return errors.New("it is not in /proc/net/tcp")
}

// sessions try everything that one may do with a znode, without a credential and
// with one that says nothing.
func (s *strangerOn) sessions() {
	for who, credential := range map[string]string{"anonymous": "", "any:thing": "any:thing", "zkine:guess": "zkine:guess", "super:guess": "super:guess"} {
		session := func(f func(*zk.Conn) (string, error)) func() (string, error) {
			return func() (string, error) { return s.session(credential, f) }
		}
		for what, f := range map[string]func(c *zk.Conn) (string, error){
			"create below /":        func(c *zk.Conn) (string, error) { return c.Create("/mine", nil, 0, zk.WorldACL(zk.PermAll)) },
			"create below the root": func(c *zk.Conn) (string, error) { return c.Create("/zkine/mine", nil, 0, zk.WorldACL(zk.PermAll)) },
			"create an ephemeral": func(c *zk.Conn) (string, error) {
				return c.Create("/zkine/members/mine", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
			},
			"create a quota": func(c *zk.Conn) (string, error) {
				return c.Create("/zookeeper/quota/zkine", nil, 0, zk.WorldACL(zk.PermAll))
			},
			"read everything":     readTree,
			"read the ensemble":   func(c *zk.Conn) (string, error) { data, _, err := c.Get("/zookeeper/config"); return string(data), err },
			"set a record":        func(c *zk.Conn) (string, error) { _, err := c.Set("/zkine/log", []byte("{}"), -1); return "", err },
			"watch a record":      func(c *zk.Conn) (string, error) { data, _, _, err := c.GetW("/zkine/format"); return string(data), err },
			"watch for existence": func(c *zk.Conn) (string, error) { _, _, _, err := c.ExistsW("/zkine/format"); return "", err },
			"watch a folder": func(c *zk.Conn) (string, error) {
				names, _, _, err := c.ChildrenW("/zkine/log")
				return strings.Join(names, " "), err
			},
			"read an ACL": func(c *zk.Conn) (string, error) { acl, _, err := c.GetACL("/zkine"); return fmt.Sprint(acl), err },
			"check in a multi": func(c *zk.Conn) (string, error) {
				return "", multi(c, &zk.CheckVersionRequest{Path: "/zkine/format", Version: -1})
			},
			"delete in a multi": func(c *zk.Conn) (string, error) {
				return "", multi(c, &zk.DeleteRequest{Path: "/zkine/format", Version: -1})
			},
			"reconfigure": func(c *zk.Conn) (string, error) {
				_, err := c.IncrementalReconfig([]string{"server.2=127.0.0.1:1:2;3"}, nil, -1)
				return "", err
			},
			"take the ACLs": func(c *zk.Conn) (string, error) {
				_, err := c.SetACL("/zkine/format", zk.AuthACL(zk.PermAll), -1)
				return "", err
			},
			"take the top's ACL": func(c *zk.Conn) (string, error) { _, err := c.SetACL("/", zk.WorldACL(zk.PermAll), -1); return "", err },
		} {
			s.try(who+": "+what, session(f))
		}
		// The last, since all the others would find nothing afterwards.
		s.try(who+": delete", session(func(c *zk.Conn) (string, error) { return "", c.Delete("/zkine/format", -1) }))
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
	if credential != "" {
		if err := conn.AddAuth("digest", []byte(credential)); err != nil {
			return "", err
		}
	}
	type result struct {
		got string
		err error
	}
	done := make(chan result, 1)
	go func() { got, err := f(conn); done <- result{got, err} }()
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

// files tries to read, to list and to write in the data folder.
func (s *strangerOn) files() {
	s.try("file: list data", func() (string, error) {
		names, err := os.ReadDir(filepath.Join(s.Dir, "data"))
		return fmt.Sprint(names), err
	})
	s.try("file: write", func() (string, error) { return "", os.WriteFile(filepath.Join(s.Dir, "mine"), nil, 0o600) })
	s.try("file: replace", func() (string, error) {
		return "", os.Rename(filepath.Join(s.Dir, "zoo.cfg"), filepath.Join(s.Dir, "zoo.cfg.old"))
	})
	for _, name := range []string{"data/secret", "zoo.cfg", "zookeeper.log", "lock", "client-port", "served-zkine.json"} {
		s.try("file: read "+name, func() (string, error) {
			data, err := os.ReadFile(filepath.Join(s.Dir, name))
			return string(data), err
		})
	}
	s.try("file: read what can be listed", func() (got string, err error) {
		err = errors.New("nothing can be read")
		_ = filepath.WalkDir(s.Dir, func(at string, d fs.DirEntry, wrong error) error {
			if wrong != nil || d.IsDir() {
				return nil //nolint:nilerr // it is not for this user
			}
			if data, wrong := os.ReadFile(at); wrong == nil {
				got, err = got+string(data), nil
			}
			return nil
		})
		return got, err
	})
}

// processes looks at what the kernel shows of zkine and of its ZooKeeper.
func (s *strangerOn) processes() {
	for _, pid := range s.Pids {
		for _, name := range []string{"environ", "maps", "mem", "fd/1", "cwd/data/secret"} {
			s.try("process: read "+name, func() (string, error) {
				f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))
				if err != nil {
					return "", err
				}
				defer f.Close()
				data, err := io.ReadAll(io.LimitReader(f, 1<<20))
				return string(data), err
			})
		}
		s.try("open: cmdline", func() (string, error) {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return string(data), err
		})
	}
}

// words asks with each of ZooKeeper's four-letter words.
func (s *strangerOn) words() {
	for _, word := range []string{"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "srst", "stat", "stmk", "wchc", "wchp", "wchs", "orst", "icfg", "lsnp"} {
		s.try("word: "+word, func() (string, error) {
			answer, err := ask(s.Addr, word)
			if err == nil && (answer == "" || strings.Contains(answer, "not in the whitelist")) {
				err = fmt.Errorf("%q", answer)
			}
			return answer, err
		})
	}
	for _, word := range []string{"srvr", "mntr", "ruok"} {
		s.try("open: "+word, func() (string, error) { return ask(s.Addr, word) })
	}
}

func ask(addr, word string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<20))
	return string(answer), err
}

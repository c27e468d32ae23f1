package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

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

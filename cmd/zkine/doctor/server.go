package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/zkine/zkine/revision/zkclient"
)

// The four-letter words that are asked. Only srvr is allowed by default.
var asked = []string{"srvr", "mntr", "conf", "envi"}

// errNotAllowed says that a server does not take a four-letter word.
var errNotAllowed = errors.New("it is not on the server's 4lw.commands.whitelist")

// server is an address of the list, and what it answered.
type server struct {
	zkclient.Server
	words map[string]answer
	admin admin
	// local is as in Config.
	local bool
	// session is one with this server; nil if it grants none, for the reason
	// sessionErr.
	session    zkclient.Conn
	sessionErr error
}

// answer is that to a four-letter word: its lines, by their names.
type answer struct {
	text   string
	values map[string]string
	err    error
}

// askServers asks all at once.
func (p *patient) askServers(ctx context.Context) {
	var group zkclient.Group
	for _, found := range p.cfg.Ensemble.Found(ctx) {
		s := &server{Server: found, words: map[string]answer{}, local: p.cfg.Local}
		p.servers = append(p.servers, s)
		group.Go(func() {
			s.askWords(ctx)
			if !s.local { // which has none; another's may listen on this machine
				s.admin = askAdmin(ctx, found.Name(), p.cfg.AdminPort)
			}
			s.dial(ctx, min(p.cfg.DialTimeout, mostDial))
		})
	}
	group.Wait()
}

// mostDial bounds how long a session with one server is tried for: one that is well
// grants it within a second.
const mostDial = 5 * time.Second

// askWords asks all words, unless nothing answers at all.
func (s *server) askWords(ctx context.Context) {
	for _, word := range asked {
		s.words[word] = s.ask(ctx, word)
		var unreached net.Error
		if err := s.words[word].err; errors.As(err, &unreached) || errors.Is(err, context.DeadlineExceeded) {
			for _, word := range asked {
				s.words[word] = answer{err: err}
			}
			return
		}
	}
}

func (s *server) ask(ctx context.Context, word string) answer {
	text, err := s.Ask(ctx, word)
	if err != nil {
		return answer{err: err}
	}
	return parseAnswer(text)
}

func (s *server) dial(ctx context.Context, timeout time.Duration) {
	within, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no session was granted in %v", timeout))
	defer cancel()
	s.session, s.sessionErr = s.Alone().Dial(within)
	if s.sessionErr != nil {
		s.session = nil
	}
}

// answered says whether it has answered anything.
func (s *server) answered() bool {
	if s.session != nil {
		return true
	}
	for _, a := range s.words {
		if a.err == nil || errors.Is(a.err, errNotAllowed) || errors.Is(a.err, errNotServing) {
			return true
		}
	}
	return false
}

// errNotServing says that a server has no quorum behind it.
var errNotServing = errors.New("it runs and does not serve: it sees no quorum")

// parseAnswer takes the lines of an answer apart: "name<tab>value" of mntr,
// "name=value" of conf and envi, "Name: value" of srvr.
func parseAnswer(text string) answer {
	switch {
	case strings.Contains(text, "is not in the whitelist"):
		return answer{err: errNotAllowed}
	case strings.Contains(text, "not currently serving requests"):
		return answer{err: errNotServing}
	case strings.TrimSpace(text) == "":
		return answer{err: errors.New("it gave an empty answer")}
	}
	a := answer{text: text, values: map[string]string{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name, value, found := strings.Cut(line, "\t")
		if !found {
			if at := strings.IndexAny(line, "=:"); at > 0 {
				name, value = line[:at], line[at+1:]
			}
		}
		a.values[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return a
}

// value is a line of an answer; "" if there is none.
func (s *server) value(word, name string) string { return s.words[word].values[name] }

// number is a line of an answer that is a number, a fraction too.
func (s *server) number(word, name string) (n float64, found bool) {
	n, err := strconv.ParseFloat(s.value(word, name), 64)
	return n, err == nil
}

// version is ZooKeeper's, as 3.9.6; "" if it does not tell.
func (s *server) version() string {
	for _, text := range []string{s.value("srvr", "Zookeeper version"), s.value("mntr", "zk_version"), s.value("envi", "zookeeper.version")} {
		if version, _, _ := strings.Cut(text, "-"); version != "" {
			version, _, _ = strings.Cut(version, ",")
			return strings.TrimSpace(version)
		}
	}
	return ""
}

// mode is leader, follower, observer, standalone, read-only; "" if it does not tell.
func (s *server) mode() string {
	if mode := s.value("srvr", "Mode"); mode != "" {
		return mode
	}
	return s.value("mntr", "zk_server_state")
}

// votes says whether it is one of those that a write waits for, as far as it tells.
func (s *server) votes() bool {
	return s.mode() == "leader" || s.mode() == "follower" || s.mode() == "standalone"
}

// silence is why nothing is known of some values that only a word tells.
func (s *server) silence(word string) Finding {
	f := unknown(s.String(), "it could not be looked at: the server does not answer %s: %s", word, plainly(s.words[word].err))
	if errors.Is(s.words[word].err, errNotAllowed) && !s.local {
		f.Remedy = "add " + word + " there, if others may know what it tells"
	}
	return f
}

// each is what f finds for all servers.
func (p *patient) each(f func(*server) []Finding) (found []Finding) {
	for _, s := range p.servers {
		found = append(found, f(s)...)
	}
	return found
}

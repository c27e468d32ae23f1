package transport

import (
	"bytes"
	"fmt"
	"strings"
)

// speech is how something else than ZooKeeper begins to speak.
type speech struct {
	name   string
	begins func(said []byte) bool
	remedy string
}

const (
	// checkPort is the remedy for most of them.
	checkPort = "let --zookeeper name ZooKeeper's client port, 2181 by default"
	// checkTLS is that for a port that wants TLS.
	checkTLS = "if it is ZooKeeper's secureClientPort, turn TLS on with --zookeeper-trusted-ca-file, otherwise " + checkPort
)

// anyText is what a four-letter word is answered with, too.
const anyText = "text"

var tlsSpeech = speech{"TLS", isTLS, checkTLS}

var speeches = []speech{
	tlsSpeech,
	{"HTTP", prefix("HTTP/", "<!DOCTYPE", "<html"), checkPort},
	{"HTTP/2 or gRPC", isHTTP2, checkPort},
	{"SSH", prefix("SSH-"), checkPort},
	{"Redis", prefix("-ERR", "-NOAUTH", "-DENIED", "-NOPERM"), checkPort},
	{"PostgreSQL", isPostgres, checkPort},
	{"MySQL", isMySQL, checkPort},
	{"AMQP", prefix("AMQP"), checkPort},
	{"a mail or FTP server", prefix("220 ", "220-", "421 ", "554 ", "+OK", "* OK"), checkPort},
	{anyText, isText, checkPort},
}

func prefix(texts ...string) func([]byte) bool {
	return func(said []byte) bool {
		for _, text := range texts {
			if bytes.HasPrefix(said, []byte(text)) {
				return true
			}
		}
		return false
	}
}

// isTLS sees a record: an alert, or what follows a handshake.
func isTLS(said []byte) bool {
	const lowest, highest = 0x14, 0x17 // change cipher spec, application data
	return len(said) > 2 && said[0] >= lowest && said[0] <= highest && said[1] == 3 && said[2] <= 4
}

// http2HeadSize is that of an HTTP/2 frame: length(3) type(1) flags(1) stream(4).
const http2HeadSize = 9

// isHTTP2 sees the frame with which a server begins, or ends, a connection. Its
// first bytes could be the length of a connect response, were they not as many as
// no ZooKeeper sends.
func isHTTP2(said []byte) bool {
	if len(said) < http2HeadSize || said[0] != 0 || !bytes.Equal(said[4:9], make([]byte, 5)) {
		return false
	}
	const settings, setting, goAway, window = 4, 6, 7, 8
	length := int(said[1])<<8 | int(said[2])
	switch said[3] {
	case settings:
		return length%setting == 0
	case goAway:
		return length >= 8
	case window:
		return length == 4
	default:
		return false
	}
}

// isPostgres sees the error that answers a startup message: E, a length, and
// fields, of which the first is the severity.
func isPostgres(said []byte) bool {
	return len(said) > 6 && said[0] == 'E' && said[5] == 'S' && bytes.Contains(said, []byte("FATAL"))
}

// isMySQL sees its greeting: a length of three bytes, the number 0, the protocol
// 10 or the mark of an error.
func isMySQL(said []byte) bool {
	return len(said) > 5 && said[1] == 0 && said[2] == 0 && said[3] == 0 && said[0] != 0 && (said[4] == 10 || said[4] == 0xff)
}

// isText sees a line of ASCII.
func isText(said []byte) bool {
	const least = 3
	line, _, _ := bytes.Cut(said, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	for _, b := range line {
		if (b < ' ' || b > '~') && b != '\t' {
			return false
		}
	}
	return len(line) >= least
}

// stranger says what speaks, from its first bytes.
func stranger(said []byte, matter string) error {
	for _, s := range speeches {
		if s.begins(said) {
			return called(s, excerpt(said))
		}
	}
	return fmt.Errorf("what answers is %w, its first answer %s%s; %s", ErrNotZooKeeper, matter, excerpt(said), checkPort)
}

func called(s speech, excerpt string) error {
	return fmt.Errorf("what answers looks like %s%s, %w; %s", s.name, excerpt, ErrNotZooKeeper, s.remedy)
}

// excerpt quotes the first line of what was said, as far as people can read it.
func excerpt(said []byte) string {
	const most = 40 // bytes
	line, _, _ := bytes.Cut(said, []byte("\n"))
	line = line[:min(len(line), most)]
	quoted := fmt.Sprintf("%+q", strings.TrimRight(string(line), "\r"))
	if strings.Contains(quoted, `\`) { // none is of any use
		return ""
	}
	return " (" + quoted + ")"
}

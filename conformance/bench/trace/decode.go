package trace

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ErrFormat says that a file is no recording.
var ErrFormat = errors.New("no recording of requests")

const (
	// mostRequests, mostSize and mostConns bound what a file can make its reader do.
	mostRequests = 1 << 20
	mostSize     = 8 << 20 // bytes of a value or a line
	mostConns    = 10_000
)

// Decode reads a file. The error is an ErrFormat if it is none, or is damaged.
func Decode(r io.Reader) (*Trace, error) {
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	lines := bufio.NewScanner(compressed)
	lines.Buffer(nil, mostSize)
	t, d := &Trace{}, decoder{}
	for n := 0; lines.Scan(); n++ {
		switch {
		case n == 0 && lines.Text() != format:
			return nil, fmt.Errorf("%w: it begins with %.40q", ErrFormat, lines.Text())
		case n == 0:
		case n == 1:
			t.About = lines.Text()
		case len(t.Requests) == mostRequests:
			return nil, fmt.Errorf("%w: it has more than %d requests", ErrFormat, mostRequests)
		default:
			request, err := d.line(lines.Text(), len(t.Requests))
			if err != nil {
				return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, n+1, err)
			}
			t.Requests = append(t.Requests, request)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(t.Requests) == 0 {
		return nil, fmt.Errorf("%w: it has none", ErrFormat)
	}
	return t, nil
}

// decoder remembers what lines refer to.
type decoder struct {
	at    time.Duration
	texts []string
}

var errLine = errors.New("not a request")

// line reads the request with an index.
func (d *decoder) line(line string, index int) (r Request, err error) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return r, errLine
	}
	r = Request{Kind: Kind(fields[0]), Since: None, Lease: None}
	after, err := whole(fields[1], 1<<40)
	if err != nil {
		return r, err
	}
	d.at += time.Duration(after) * time.Microsecond
	r.At = d.at
	if r.Conn, err = whole(fields[2], mostConns); err != nil {
		return r, err
	}
	for _, field := range fields[3:] {
		if err := d.field(&r, field[0], field[1:], index); err != nil {
			return r, fmt.Errorf("%.40q: %w", field, err)
		}
	}
	return r, fits(r)
}

// field reads one field of a request.
func (d *decoder) field(r *Request, letter byte, text string, index int) (err error) {
	switch letter {
	case 'k':
		r.Key, err = d.text(text)
	case 'e':
		r.End, err = d.text(text)
	case 'b':
		r.Size, err = whole(text, mostSize)
	case 'l':
		r.Limit, err = whole(text, mostSize)
	case 'r':
		r.Since, err = back(text, index)
	case 'g':
		r.Lease, err = back(text, index)
	case 't':
		var ttl int
		ttl, err = whole(text, 1<<30)
		r.TTL = int64(ttl)
	case 's':
		r.Stream, err = whole(text, mostConns)
	case 'n':
		r.Nth, err = whole(text, mostRequests)
	case 'f':
		err = setFlags(r, text)
	default:
		err = errLine
	}
	return err
}

func (d *decoder) text(text string) (string, error) {
	if text != "" && text[0] == '"' {
		unquoted, err := strconv.Unquote(text)
		if err == nil {
			d.texts = append(d.texts, unquoted)
		}
		return unquoted, err
	}
	n, err := whole(text, len(d.texts)-1)
	if err != nil {
		return "", err
	}
	return d.texts[n], nil
}

// whole reads a number from 0 to most.
func whole(text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && (n < 0 || n > most) {
		err = fmt.Errorf("%d is not between 0 and %d", n, most)
	}
	return n, err
}

// back reads the index of a request before this one.
func back(text string, index int) (int, error) {
	n, err := whole(text, index)
	if err == nil && n == 0 {
		err = errLine
	}
	return index - n, err
}

func setFlags(r *Request, letters string) error {
	for i := range len(letters) {
		known := false
		for _, f := range flags {
			if f.letter == letters[i] {
				*f.of(r), known = true, true
			}
		}
		if !known {
			return errLine
		}
	}
	return nil
}

// fits says whether a request has what its kind needs.
func fits(r Request) error {
	switch r.Kind {
	case Range, Stream, Create, Update, Delete, Watch, Phase:
		if r.Key == "" {
			return fmt.Errorf("%w: no key", errLine)
		}
	case Cancel, Progress, Grant, Status:
	case Compact:
		if r.Since == None {
			return fmt.Errorf("%w: no revision", errLine)
		}
	default:
		return fmt.Errorf("%w: %.20q", errLine, r.Kind)
	}
	return nil
}

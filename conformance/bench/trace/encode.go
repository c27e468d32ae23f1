package trace

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// format is the first line of a file.
const format = "zkine trace 1"

// Encode writes a recording as a file.
func (t *Trace) Encode(w io.Writer) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(compressed)
	fmt.Fprintf(out, "%s\n%s\n", format, strings.ReplaceAll(t.About, "\n", " "))
	e := encoder{known: make(map[string]int)}
	for i, r := range t.Requests {
		e.line(out, i, r)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return compressed.Close()
}

// encoder remembers what lines refer to.
type encoder struct {
	at    time.Duration
	known map[string]int // numbers of texts
}

func (e *encoder) line(out *bufio.Writer, i int, r Request) {
	fmt.Fprintf(out, "%s %d %d", r.Kind, (r.At - e.at).Microseconds(), r.Conn)
	e.at += (r.At - e.at).Truncate(time.Microsecond)
	e.text(out, 'k', r.Key)
	e.text(out, 'e', r.End)
	number(out, 'b', r.Size)
	number(out, 'l', r.Limit)
	if r.Since != None {
		number(out, 'r', i-r.Since)
	}
	if r.Lease != None {
		number(out, 'g', i-r.Lease)
	}
	number(out, 't', int(r.TTL))
	number(out, 's', r.Stream)
	number(out, 'n', r.Nth)
	if flags := flagsOf(&r); flags != "" {
		fmt.Fprintf(out, " f%s", flags)
	}
	out.WriteByte('\n') //nolint:errcheck // Flush tells
}

// text writes a key.
func (e *encoder) text(out *bufio.Writer, letter byte, text string) {
	if text == "" {
		return
	}
	n, known := e.known[text]
	if known {
		fmt.Fprintf(out, " %c%d", letter, n)
		return
	}
	e.known[text] = len(e.known)
	// A blank would end the field.
	fmt.Fprintf(out, " %c%s", letter, strings.ReplaceAll(strconv.QuoteToASCII(text), " ", `\x20`))
}

func number(out *bufio.Writer, letter byte, n int) {
	if n != 0 {
		fmt.Fprintf(out, " %c%d", letter, n)
	}
}

// flags are the letters of options.
var flags = []struct {
	letter byte
	of     func(*Request) *bool
}{
	{'c', func(r *Request) *bool { return &r.Count }},
	{'k', func(r *Request) *bool { return &r.KeysOnly }},
	{'s', func(r *Request) *bool { return &r.Serializable }},
	{'x', func(r *Request) *bool { return &r.Stale }},
	{'v', func(r *Request) *bool { return &r.ByVersion }},
	{'p', func(r *Request) *bool { return &r.PrevKV }},
	{'n', func(r *Request) *bool { return &r.ProgressNotify }},
}

func flagsOf(r *Request) string {
	var letters []byte
	for _, f := range flags {
		if *f.of(r) {
			letters = append(letters, f.letter)
		}
	}
	return string(letters)
}

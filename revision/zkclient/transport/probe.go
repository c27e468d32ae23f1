package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

const (
	// probeTimeout bounds one question, besides the caller's context.
	probeTimeout = 300 * time.Millisecond
	// aWord is one of ZooKeeper's four-letter words, and the end of a request to
	// what speaks HTTP.
	aWord = "srvr\r\n\r\n"
	// aRequest is for what waits for the name of a method, as etcd does. A
	// ZooKeeper takes it for a length, and closes.
	aRequest = "GET / HTTP/1.0\r\n\r\n"
)

// Probe finds out what listens at an address that accepts connections and says
// nothing to a connect request, as servers of HTTP and TLS do. It returns an
// error that wraps ErrNotZooKeeper if that is something else; nil if it is a
// ZooKeeper, or nothing can be said. When it returns, its connections are closed.
func Probe(ctx context.Context, address string) error {
	said := ask(ctx, address, aWord)
	if len(said) == 0 {
		said = ask(ctx, address, aRequest)
		// Servers of HTTP behind TLS answer so to one without.
		if refused := bytes.Contains(said, []byte(" 400 ")); (len(said) == 0 || refused) && speaksTLS(ctx, address) {
			return called(tlsSpeech, "")
		}
	}
	for _, s := range speeches {
		if s.name != anyText && s.begins(said) {
			return stranger(said, "")
		}
	}
	return nil
}

// ask returns the first bytes of the answer, none if there is none in time.
func ask(ctx context.Context, address, question string) []byte {
	conn, stop, err := dial(ctx, address)
	if err != nil {
		return nil
	}
	defer stop()
	if _, err := conn.Write([]byte(question)); err != nil {
		return nil
	}
	said := make([]byte, 512)
	n, _ := conn.Read(said) // then there is no answer
	return said[:n]
}

// speaksTLS says whether a handshake gets as far as an answer in TLS. Whose
// certificate that is does not matter.
func speaksTLS(ctx context.Context, address string) bool {
	conn, stop, err := dial(ctx, address)
	if err != nil {
		return false
	}
	defer stop()
	heard := false
	handshake := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { //nolint:gosec // nothing is sent
		heard = true
		return errors.New("nothing is sent")
	}})
	err = handshake.HandshakeContext(ctx)
	alert := new(net.OpError)
	return heard || errors.As(err, &alert) && alert.Op == "remote error"
}

// dial connects for a moment.
func dial(ctx context.Context, address string) (conn net.Conn, stop func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	closed := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		defer close(closed)
		conn.Close()
	})
	return conn, func() {
		defer cancel()
		if undo() {
			conn.Close()
			return
		}
		<-closed
	}, nil
}

package zktest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
)

// Serves tells whether the server at addr grants a plain client a session before ctx ends. The session is closed again.
// It knows the few bytes that this takes, so that no client library's patience is in the answer.
func Serves(ctx context.Context, addr string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(connectRequest(4000)); err != nil {
		return false
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		return false
	}
	length := binary.BigEndian.Uint32(head)
	if length < 8 || length > 1<<10 {
		return false
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(conn, answer); err != nil || binary.BigEndian.Uint32(answer[4:]) == 0 {
		return false
	}
	opClose := OpClose
	request := binary.BigEndian.AppendUint32(nil, 8)
	request = binary.BigEndian.AppendUint32(request, 1) // xid
	request = binary.BigEndian.AppendUint32(request, uint32(opClose))
	conn.Write(request)       //nolint:errcheck // else the session ends by itself
	io.Copy(io.Discard, conn) //nolint:errcheck // until the server closes
	return true
}

// connectRequest asks for a session of so many milliseconds: protocol version, last zxid, timeout, session id, password.
func connectRequest(timeout uint32) []byte {
	const length = 4 + 8 + 4 + 8 + 4 + 16
	b := binary.BigEndian.AppendUint32(nil, length)
	b = append(b, make([]byte, 4+8)...)
	b = binary.BigEndian.AppendUint32(b, timeout)
	b = append(b, make([]byte, 8)...)
	b = binary.BigEndian.AppendUint32(b, 16)
	return append(b, make([]byte, 16)...)
}

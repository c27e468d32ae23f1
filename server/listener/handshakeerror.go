package listener

import (
	"errors"
	"strings"
)

// handshakeError is what the log says of a handshake that failed: the library's
// words, without the names of protocols that the client has made up, which come
// in parentheses.
func handshakeError(err error) error {
	text, _, _ := strings.Cut(err.Error(), " ([")
	return errors.New(text)
}

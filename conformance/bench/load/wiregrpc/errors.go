package wiregrpc

import (
	"fmt"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrBroken is in the tree of every error that says that the connection is of no more use, for whatever reason. The
// status of such an error is Unavailable.
const ErrBroken = unavailable("the connection is broken")

type unavailable string

func (u unavailable) Error() string { return string(u) }

// GRPCStatus is what status.Code asks.
func (u unavailable) GRPCStatus() *status.Status { return status.New(codes.Unavailable, string(u)) }

func broken(cause error) error { return fmt.Errorf("%w: %w", ErrBroken, cause) }

// violation is what the server must not send.
func violation(format string, args ...any) error {
	return fmt.Errorf("the server breaks HTTP/2: "+format, args...)
}

// internal is the status of an answer that is not one.
func internal(what string) error { return status.Error(codes.Internal, what) }

// resetError is the status of a stream that the server has reset, as grpc-go maps it.
func resetError(code http2.ErrCode) error {
	c := codes.Internal
	switch code {
	case http2.ErrCodeRefusedStream:
		c = codes.Unavailable
	case http2.ErrCodeCancel:
		c = codes.Canceled
	case http2.ErrCodeEnhanceYourCalm:
		c = codes.ResourceExhausted
	case http2.ErrCodeInadequateSecurity:
		c = codes.PermissionDenied
	}
	return status.Errorf(c, "the server reset the stream with %s", code)
}

// goneAway is what calls fail with that the server does not take any more.
func goneAway(f *http2.GoAwayFrame) error {
	return broken(fmt.Errorf("the server goes away with %s %q", f.ErrCode, f.DebugData()))
}

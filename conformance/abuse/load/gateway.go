package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// bodySize is of a JSON body, far over the largest request.
	bodySize = 100 << 20
	// bodyClients send such bodies as fast as they can, slowBodies slowly.
	bodyClients = 4
	slowBodies  = 20
	// slowPiece is what a slow one sends at a time, ten times a second.
	slowPiece = 64 << 10
)

// openings begin a JSON message of each path, with a string that does not end.
var openings = map[string]string{
	"/v3/kv/put": `{"key":"`,
	"/v3/watch":  `{"create_request":{"key":"`,
}

// gatewayLarge sends large bodies to a path of the JSON gateway, without a token.
func gatewayLarge(path string) abuse {
	return func(ctx context.Context, j Job, t *Tally) error {
		return workers(ctx, bodyClients, func(ctx context.Context, _ int) error {
			for pause(ctx, garbagePause) {
				post(ctx, j, t, path, 0)
			}
			return nil
		})
	}
}

// gatewaySlowBody sends the same slowly, half of them to each path.
func gatewaySlowBody(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, slowBodies, func(ctx context.Context, i int) error {
		for pause(ctx, garbagePause) {
			post(ctx, j, t, []string{"/v3/kv/put", "/v3/watch"}[i%2], 100*time.Millisecond)
		}
		return nil
	})
}

// post sends one body, with a pause before each piece, and counts the answer by its status.
func post(ctx context.Context, j Job, t *Tally, path string, every time.Duration) {
	body := &endless{ctx: ctx, t: t, every: every, opening: openings[path], left: bodySize}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+j.Client+path, body)
	if err != nil {
		t.add("refused", 1)
		return
	}
	client := oneConnection()
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		t.add("ended by the server", 1)
		return
	}
	defer response.Body.Close()
	t.add(fmt.Sprint("status ", response.StatusCode), 1)
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
}

// endless is a body that is one string of JSON: so many letters, and then its end is not said either.
type endless struct {
	ctx     context.Context
	t       *Tally
	every   time.Duration
	opening string
	left    int // bytes
}

var letters = []byte(strings.Repeat("YWFh", slowPiece/4))

// Read gives the next piece.
func (e *endless) Read(b []byte) (int, error) {
	if e.opening != "" {
		n := copy(b, e.opening)
		e.opening = e.opening[n:]
		return n, nil
	}
	if e.every > 0 && !pause(e.ctx, e.every) {
		return 0, e.ctx.Err()
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), e.left)], letters)
	e.left -= n
	e.t.add("bytes", int64(n))
	return n, nil
}

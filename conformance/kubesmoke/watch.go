package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// event is one line of a watch.
type event struct {
	Type   string // ADDED, MODIFIED, DELETED, BOOKMARK; ERROR is never handed out
	Object object
}

// errEnded is the result of a watch whose stream the server has ended, as it does from time to time.
var errEnded = errors.New("the server has ended the stream")

// errEnough is returned by a handler of events that needs no more.
var errEnough = errors.New("no more events wanted")

// watch asks for the changes of a list, with the given query, and hands each event to handle until the stream or
// ctx ends or handle returns an error, which is the result: errEnough becomes nil, the end of the stream
// errEnded. An ERROR event becomes a *refusal; code 410 is that the version to start from has been compacted.
func (a *api) watch(ctx context.Context, path string, query url.Values, handle func(event) error) error {
	query.Set("watch", "1")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	resp, err := a.send(ctx, http.MethodGet, path+"?"+query.Encode(), "", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := json.NewDecoder(resp.Body)
	for {
		var line struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := lines.Decode(&line); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return errEnded
		}
		if line.Type == "ERROR" {
			r := &refusal{}
			if err := json.Unmarshal(line.Object, r); err != nil {
				return fmt.Errorf("error event %s: %w", line.Object, err)
			}
			return r
		}
		e := event{Type: line.Type}
		if err := json.Unmarshal(line.Object, &e.Object); err != nil {
			return fmt.Errorf("%s event %s: %w", line.Type, line.Object, err)
		}
		if err := handle(e); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// since is the query of a watch of everything after a resourceVersion.
func since(resourceVersion string) url.Values {
	return url.Values{"resourceVersion": {resourceVersion}, "allowWatchBookmarks": {"true"}}
}

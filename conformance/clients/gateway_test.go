package clients

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// object is a JSON object.
type object = map[string]any

// gateway is a client of the JSON gateway.
type gateway struct {
	t    *testing.T
	base string // URL of the store
	// token is sent as Patroni and APISIX send it, if there is one.
	token string
}

func newGateway(t *testing.T, endpoint string) *gateway {
	return &gateway{t: t, base: "http://" + endpoint}
}

// b64 is how keys and values go into JSON.
func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// plain is the text of a key or a value that came as JSON; what is empty is left out there.
func plain(t *testing.T, field any) string {
	t.Helper()
	if field == nil {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(field.(string))
	require.NoError(t, err)
	return string(text)
}

func (g *gateway) send(method, path string, body io.Reader) *http.Response {
	g.t.Helper()
	req, err := http.NewRequestWithContext(within(g.t), method, g.base+path, body)
	require.NoError(g.t, err)
	if g.token != "" {
		req.Header.Set("authorization", g.token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(g.t, err)
	g.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// call posts an object and reads the one that answers.
func (g *gateway) call(path string, body object) (status int, answer object) {
	g.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(g.t, err)
	resp := g.send(http.MethodPost, path, bytes.NewReader(text))
	in := json.NewDecoder(resp.Body)
	require.NoError(g.t, in.Decode(&answer), path)
	_, err = in.Token()
	require.ErrorIs(g.t, err, io.EOF, "the answer does not end")
	return resp.StatusCode, answer
}

// must is a call that succeeds.
func (g *gateway) must(path string, body object) object {
	g.t.Helper()
	status, answer := g.call(path, body)
	require.Equal(g.t, http.StatusOK, status, "%s %v: %v", path, body, answer)
	return answer
}

// refuses is a call that fails, with the code and words by which clients know what went wrong.
func (g *gateway) refuses(status, code int, message, path string, body object) {
	g.t.Helper()
	got, answer := g.call(path, body)
	require.Equal(g.t, object{"code": float64(code), "message": message}, answer, path)
	require.Equal(g.t, status, got, path)
}

// stream posts an object and reads those that answer, one by one.
func (g *gateway) stream(path string, body object) *json.Decoder {
	g.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(g.t, err)
	resp := g.send(http.MethodPost, path, bytes.NewReader(text))
	require.Equal(g.t, http.StatusOK, resp.StatusCode)
	return json.NewDecoder(resp.Body)
}

// next is the result that comes next in a stream.
func (g *gateway) next(from *json.Decoder) object {
	g.t.Helper()
	var message object
	require.NoError(g.t, from.Decode(&message))
	require.Contains(g.t, message, "result")
	return message["result"].(object)
}

// events are the events that come next in a stream, as "PUT key=value".
func (g *gateway) events(from *json.Decoder) (events []string) {
	g.t.Helper()
	list, _ := g.next(from)["events"].([]any)
	for _, e := range list {
		event := e.(object)
		kv := event["kv"].(object)
		kind := "PUT" // the first of the types is left out, as all that is unset
		if event["type"] != nil {
			kind = event["type"].(string)
		}
		events = append(events, kind+" "+plain(g.t, kv["key"])+"="+plain(g.t, kv["value"]))
	}
	return events
}

// revision is that of an answer's header.
func revision(answer object) string { return answer["header"].(object)["revision"].(string) }

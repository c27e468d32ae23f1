package move

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestLimit is how long a request without a shorter deadline may take.
const requestLimit = 30 * time.Second

// api is a client of kube-apiserver that sends each request once. It is safe for concurrent use.
type api struct {
	server string
	http   *http.Client
}

// object is one of Kubernetes', of any kind.
type object = map[string]any

// refusal is an answer other than 2xx.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return fmt.Sprint(r.code, " ", r.text) }

// answered says whether err is a refusal with this HTTP status.
func answered(err error, code int) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == code
}

// send returns the answer if it is a 2xx, with its body still to be read.
func (a *api) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.server+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.http.Do(req)
	if err != nil || resp.StatusCode/100 == 2 {
		return resp, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return nil, &refusal{resp.StatusCode, string(text)}
}

// do sends one request and decodes the answer into out, unless it is nil.
func (a *api) do(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	resp, err := a.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body) // an answer cut short is not an answer
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func (a *api) get(ctx context.Context, path string, out any) error {
	return a.do(ctx, http.MethodGet, path, nil, out)
}

func (a *api) create(ctx context.Context, path string, body any) error {
	return a.do(ctx, http.MethodPost, path, body, nil)
}

// listed is what a list answers: objects as they came, by namespace and name.
type listed struct {
	version string
	objects map[string]string
}

// list lists a collection. Parameters are those of the URL.
func (a *api) list(ctx context.Context, path string, parameters ...string) (listed, error) {
	var answer struct {
		Metadata struct{ ResourceVersion string }
		Items    []json.RawMessage
	}
	if err := a.get(ctx, path+"?"+strings.Join(parameters, "&"), &answer); err != nil {
		return listed{}, err
	}
	l := listed{answer.Metadata.ResourceVersion, map[string]string{}}
	for _, item := range answer.Items {
		name, _, err := identify(item)
		if err != nil {
			return listed{}, err
		}
		l.objects[name] = string(item)
	}
	return l, nil
}

// identify is an object's namespace and name, and its resourceVersion.
func identify(item json.RawMessage) (name, version string, err error) {
	var o struct {
		Metadata struct{ Namespace, Name, ResourceVersion string }
	}
	err = json.Unmarshal(item, &o)
	return o.Metadata.Namespace + "/" + o.Metadata.Name, o.Metadata.ResourceVersion, err
}

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// requestLimit is how long a request without a shorter deadline may take. The API server's own is a minute; ours is
// shorter, so that writers learn soon that an outcome is unknown.
const requestLimit = 15 * time.Second

const (
	jsonType       = "application/json"
	mergePatchType = "application/merge-patch+json"
	applyType      = "application/apply-patch+yaml"
)

// api is a client of the API server that sends each request exactly once. It is safe for concurrent use.
type api struct {
	server string
	http   *http.Client
}

// refusal is an answer of the API server other than 2xx.
type refusal struct {
	Code     int    `json:"code"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	Metadata struct {
		Continue string `json:"continue"` // of an expired list: where to go on inconsistently
	} `json:"metadata"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Code, r.Reason, r.Message) }

// refused says whether err is a refusal with this HTTP status.
func refused(err error, code int) bool {
	var r *refusal
	return errors.As(err, &r) && r.Code == code
}

// newAPI makes a client of its own connection, known to the server by a certificate.
func newAPI(server, authority string, who identity) (*api, error) {
	roots := x509.NewCertPool()
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	roots.AppendCertsFromPEM(text)
	cert, err := tls.LoadX509KeyPair(who.cert, who.key)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}},
		ForceAttemptHTTP2: true,
	}
	return &api{server: server, http: &http.Client{Transport: transport}}, nil
}

// do sends one request and decodes the answer into out, unless it is nil. The error is a *refusal if the server
// answered; any other error leaves open whether a write happened, and so does a refusal of 500 and above.
func (a *api) do(ctx context.Context, method, path, contentType string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	resp, err := a.send(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		// Read all the same: an answer cut short is not an answer.
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// send sends one request and returns the answer if it is a 2xx, with its body still to be read.
func (a *api) send(ctx context.Context, method, path, contentType string, body any) (*http.Response, error) {
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
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	r := &refusal{}
	if json.Unmarshal(text, r) != nil || r.Code == 0 {
		*r = refusal{Reason: resp.Status, Message: string(text)}
	}
	r.Code = resp.StatusCode
	return nil, r
}

func (a *api) get(ctx context.Context, path string, out any) error {
	return a.do(ctx, http.MethodGet, path, "", nil, out)
}

func (a *api) create(ctx context.Context, path string, body, out any) error {
	return a.do(ctx, http.MethodPost, path, jsonType, body, out)
}

func (a *api) replace(ctx context.Context, path string, body, out any) error {
	return a.do(ctx, http.MethodPut, path, jsonType, body, out)
}

func (a *api) patch(ctx context.Context, path string, body any) error {
	return a.do(ctx, http.MethodPatch, path, mergePatchType, body, nil)
}

func (a *api) delete(ctx context.Context, path string) error {
	return a.do(ctx, http.MethodDelete, path, "", nil, nil)
}

// text returns an answer that is not JSON, such as the metrics.
func (a *api) text(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	resp, err := a.send(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

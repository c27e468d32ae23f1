package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// admin is what a server's admin server tells: HTTP, on port 8080 by default.
type admin struct {
	// properties are Java's, among them most settings with "zookeeper." before their
	// names; nil if they were not told, for the reason err.
	properties map[string]string
	// zooCfg is the server's zoo.cfg, which it tells if it can be reconfigured.
	zooCfg string
	// ahead is by how much the server's clock is ahead of this machine's, to a second;
	// timed says that it is known.
	ahead time.Duration
	timed bool
	err   error
}

const (
	adminTimeout = 2 * time.Second
	// maxAdminAnswer bounds an answer, in bytes: what listens there need not be a
	// ZooKeeper.
	maxAdminAnswer = 1 << 20
)

var errNoAdmin = errors.New("no admin server is asked (--zookeeper-admin-port=0)")

func askAdmin(ctx context.Context, host string, port int) (a admin) {
	if port == 0 {
		return admin{err: errNoAdmin}
	}
	base := "http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/commands/"
	var properties map[string]any
	began := time.Now()
	date, err := getJSON(ctx, base+"system_properties", &properties)
	if err == nil && properties["command"] != "system_properties" {
		err = errors.New("what listens there is no ZooKeeper's admin server")
	}
	if err != nil {
		return admin{err: fmt.Errorf("admin server at port %d: %w", port, err)}
	}
	a.properties = map[string]string{}
	for name, value := range properties {
		a.properties[name] = fmt.Sprint(value)
	}
	if at, err := http.ParseTime(date); err == nil {
		// It is cut to the second below.
		middle := began.Add(time.Since(began) / 2)
		a.ahead, a.timed = at.Add(time.Second/2).Sub(middle), true
	}
	var initial struct {
		Text string `json:"initial_configuration"`
	}
	if _, err := getJSON(ctx, base+"initial_configuration", &initial); err == nil {
		a.zooCfg = initial.Text
	}
	return a
}

// getJSON returns the answer's Date.
func getJSON(ctx context.Context, url string, into any) (date string, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		// What sends elsewhere is no admin server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", causeOf(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %s", resp.Status)
	}
	return resp.Header.Get("Date"), json.NewDecoder(io.LimitReader(resp.Body, maxAdminAnswer)).Decode(into)
}

// causeOf is an error without the URL that net/http puts before it.
func causeOf(err error) error {
	if wrapped := errors.Unwrap(err); wrapped != nil {
		return wrapped
	}
	return err
}

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/revision/zktest"
)

// startWithin starts a zkine with a limit of open files.
func startWithin(t *testing.T, files string, args ...string) *process {
	t.Helper()
	binary, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	script := filepath.Join(t.TempDir(), "zkine")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nulimit -n "+files+"\nexec '"+binary+"' \"$@\"\n"), 0o700))
	return startProgram(t, script, nil, args)
}

// TestCrowdsLeaveDescriptors: with 256 descriptors, 300 connections on each URL that
// only greet take neither the way to ZooKeeper nor other clients and probes.
func TestCrowdsLeaveDescriptors(t *testing.T) {
	zk := zktest.Start(t)
	p := startWithin(t, "256", "--zookeeper="+zk.Addr(), "--zookeeper-root="+zktest.Root(t))
	endpoint := p.ready()
	metrics := p.await(`serving metrics and health.*address="?([^" \n]+)"?`)
	for _, address := range []string{endpoint, metrics} {
		for range 300 {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer conn.Close()
			_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00") // it may have been refused
		}
	}
	probe := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	require.Eventually(t, func() bool {
		response, err := probe.Get("http://" + metrics + "/readyz")
		if err != nil {
			return false // refused while all others are young
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, limit, 10*time.Millisecond)
	require.Eventually(t, func() bool { return putOnce(t, endpoint) == nil }, limit, 10*time.Millisecond)

	// ZooKeeper is reached again, too.
	zk.Restart()
	require.Eventually(t, func() bool { return putOnce(t, endpoint) == nil }, limit, 100*time.Millisecond)
	require.NotContains(t, p.text(), "too many open files")
	require.Less(t, strings.Count(p.text(), "to make room"), 5)
	require.Less(t, strings.Count(p.text(), "was refused"), 5)
}

// putOnce writes on a connection of its own.
func putOnce(t *testing.T, endpoint string) error {
	t.Helper()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: []byte("v")})
	return err
}

// TestTooFewDescriptors: as with etcd, a limit that leaves none for clients ends the
// start.
func TestTooFewDescriptors(t *testing.T) {
	p := startWithin(t, "150", "--zookeeper=127.0.0.1:1")
	require.Equal(t, "zkine: the limit of 150 open files leaves none for clients: zkine keeps 150 for itself — raise it, with ulimit -n or LimitNOFILE=, to 1024 or more", p.problem())
}

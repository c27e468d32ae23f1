package zkclient_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/revision/zkclient"
)

// wrongServer is something that listens where a ZooKeeper was expected, and what
// people are told of it.
type wrongServer struct {
	start func(*testing.T) string
	told  string
}

var wrongServers = map[string]wrongServer{
	"HTTP": {func(t *testing.T) string {
		s := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}, `what answers looks like HTTP ("HTTP/1.1 400 Bad Request"), not ZooKeeper; let --zookeeper name`},
	"TLS": {func(t *testing.T) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}, "what answers looks like TLS, not ZooKeeper; if it is ZooKeeper's secureClientPort, turn TLS on"},
	"gRPC": {func(t *testing.T) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s := grpc.NewServer()
		go s.Serve(listener) //nolint:errcheck // until it is stopped
		t.Cleanup(s.Stop)
		return listener.Addr().String()
	}, "what answers looks like HTTP/2 or gRPC, not ZooKeeper; let --zookeeper name"},
	"SSH":      {saying("SSH-2.0-OpenSSH_9.2\r\n"), `what answers looks like SSH ("SSH-2.0-OpenSSH_9.2"), not ZooKeeper; let`},
	"Redis":    {saying("-ERR unknown command\r\n"), `what answers looks like Redis ("-ERR unknown command"), not ZooKeeper; let`},
	"zeros":    {sayingWithoutEnd(0), "what answers is not ZooKeeper, its first answer begins with a length of 0; let"},
	"closes":   {saying(""), "accepts connections and closes them"},
	"a banner": {saying("welcome to the machine\n"), `what answers looks like text ("welcome to the machine"), not ZooKeeper; let`},
}

// saying is a server that says something to everyone, and closes.
func saying(text string) func(*testing.T) string {
	return func(t *testing.T) string {
		return listening(t, func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 44)) //nolint:errcheck // the connect request; what comes of it shows
			io.WriteString(conn, text)
		})
	}
}

// sayingWithoutEnd is a server that says the same byte again and again.
func sayingWithoutEnd(b byte) func(*testing.T) string {
	return func(t *testing.T) string {
		return listening(t, func(conn net.Conn) {
			for chunk := bytes.Repeat([]byte{b}, 64<<10); ; {
				if _, err := conn.Write(chunk); err != nil {
					return
				}
			}
		})
	}
}

// listening serves each connection until the test ends.
func listening(t *testing.T, serve func(net.Conn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { conn.Close() })
			serving.Go(func() {
				defer stop()
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return listener.Addr().String()
}

const (
	// mostData is as much as a reply may hold, in bytes.
	mostData = 8<<20 - 16 - 4 - 68
	// mostNames is how many names of one letter a list of children may have.
	mostNames = (4<<20 - 16 - 4 - 68) / 5
)

// hoarder is a server that speaks ZooKeeper's protocol, and answers each read
// with as much as may be.
func hoarder(conn net.Conn) {
	if _, err := readRequest(conn); err != nil {
		return
	}
	connected := binary.BigEndian.AppendUint32(nil, 0)
	connected = binary.BigEndian.AppendUint32(connected, 9000)
	connected = binary.BigEndian.AppendUint64(connected, 1)
	connected = append(binary.BigEndian.AppendUint32(connected, 16), make([]byte, 16)...)
	if !send(conn, connected) {
		return
	}
	const data = mostData
	large := append(binary.BigEndian.AppendUint32(nil, data), make([]byte, data+68)...)
	names := binary.BigEndian.AppendUint32(nil, mostNames)
	names = append(append(names, bytes.Repeat([]byte{0, 0, 0, 1, 'a'}, mostNames)...), make([]byte, 68)...)
	passed := append([]byte{0, 0, 0, 13, 0, 255, 255, 255, 255}, 255, 255, 255, 255, 1, 255, 255, 255, 255)
	for {
		request, err := readRequest(conn)
		if err != nil {
			return
		}
		head := append(bytes.Clone(request[:4]), make([]byte, 12)...)
		var body []byte
		switch binary.BigEndian.Uint32(request[4:]) {
		case 4: // getData
			body = large
		case 12: // getChildren2
			body = names
		case 14: // multi
			body = passed
		}
		if !send(conn, head, body) {
			return
		}
	}
}

func send(conn net.Conn, parts ...[]byte) bool {
	frame := bytes.Join(parts, nil)
	_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err == nil
}

func readRequest(conn net.Conn) ([]byte, error) {
	length := make([]byte, 4)
	if _, err := io.ReadFull(conn, length); err != nil {
		return nil, err
	}
	request := make([]byte, binary.BigEndian.Uint32(length))
	_, err := io.ReadFull(conn, request)
	return request, err
}

// In the environment of this test's binary: what TestAmongWrongServers is to
// dial, and the hoarder's address.
const (
	wrongOnes  = "ZKINE_TEST_WRONG_SERVERS"
	hoardersAt = "ZKINE_TEST_HOARDER"
)

// mostMemory is what a process may take, whatever answers, in bytes.
const mostMemory = 100 << 20

// TestWrongServersAreNamedAndCostLittle has another process dial each of them,
// and then read from one that sends as much as may be.
func TestWrongServersAreNamedAndCostLittle(t *testing.T) {
	var addresses []string
	told := map[string]string{}
	for _, s := range wrongServers {
		address := s.start(t)
		addresses = append(addresses, address)
		told[address] = s.told
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAmongWrongServers$", "-test.v")
	cmd.Env = append(os.Environ(), wrongOnes+"="+strings.Join(addresses, ","), hoardersAt+"="+listening(t, hoarder))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for address, text := range told {
		require.Contains(t, string(out), address+": "+text)
	}
	t.Logf("%s", out)
}

// TestAmongWrongServers is the other process of TestWrongServersAreNamedAndCostLittle.
func TestAmongWrongServers(t *testing.T) {
	if os.Getenv(wrongOnes) == "" {
		t.Skip("only in the process that TestWrongServersAreNamedAndCostLittle starts")
	}
	var dials sync.WaitGroup
	for _, address := range strings.Split(os.Getenv(wrongOnes), ",") {
		for range 3 { // races of several sessions
			dials.Go(func() {
				// It lasts until the end, with each of them; a busy machine is slow to ask.
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				_, err := patient(address).Dial(ctx)
				fmt.Println(err)
			})
		}
	}
	dials.Wait()
	conn := session(t, patient(os.Getenv(hoardersAt)))
	for range 8 {
		data, _, err := conn.Get(t.Context(), "/")
		require.NoError(t, err)
		require.Len(t, data, mostData)
		names, err := conn.Children(t.Context(), "/")
		require.NoError(t, err)
		require.Len(t, names, mostNames)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	fmt.Printf("from the system: %d KiB\n", memory.Sys>>10)
	require.Less(t, memory.Sys, uint64(mostMemory))
}

// TestAWrongServerIsAskedRarely: it was told what answers, and the next answer
// is no other.
func TestAWrongServerIsAskedRarely(t *testing.T) {
	var asked atomic.Int64
	address := listening(t, func(conn net.Conn) {
		if request, err := readRequest(conn); err == nil && len(request) > 0 {
			asked.Add(1)
		}
		io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
	})
	d := patient(address)
	began := time.Now()
	for range 3 {
		requireReason(t, d, "looks like SSH")
	}
	const rests = 9 * time.Second / 4 // three quarters of turnedAway, since pauses vary
	require.LessOrEqual(t, asked.Load(), 1+int64(time.Since(began)/rests))
}

// TestARefusedAnswerEndsTheSession: the connection's end says why.
func TestARefusedAnswerEndsTheSession(t *testing.T) {
	address := listening(t, func(conn net.Conn) { hoarder(meddling{conn}) })
	conn := session(t, patient(address))
	_, _, err := conn.Get(t.Context(), "/")
	require.ErrorIs(t, err, zkclient.ErrSessionOver)
	require.ErrorContains(t, err, "a malformed answer: it answers request")
	require.False(t, zkclient.Definite(err))
}

// meddling answers another request than the one that was made, once it is a read.
type meddling struct{ net.Conn }

func (m meddling) Write(p []byte) (int, error) {
	if len(p) > 1<<20 {
		p = bytes.Clone(p)
		p[7]++ // of the xid
	}
	return m.Conn.Write(p)
}

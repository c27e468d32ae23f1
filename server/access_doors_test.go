package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/zkine/zkine/backend/observepb"
)

// door is a way on which requests come in.
type door string

const (
	// byToken is gRPC, with a token.
	byToken door = "gRPC"
	// byGateway is the JSON gateway, with a token in the header Authorization.
	byGateway door = "gateway"
	// byCertificate is gRPC over TLS, where the client's certificate names the user.
	byCertificate door = "certificate"
)

// accessCaller is who makes a call: a user who has logged in, or whom a
// certificate names; somebody with a token that is made up; nobody.
type accessCaller struct{ user, madeUp string }

// noGateway are the methods that etcd's gateway does not have, and zkine's own.
var noGateway = map[string]bool{
	pb.KV_RangeStream_FullMethodName:       true,
	observepb.Observe_Usage_FullMethodName: true, observepb.Observe_Member_FullMethodName: true, observepb.Observe_Ensemble_FullMethodName: true,
}

// doorsOf are the ways to a method.
func doorsOf(t *testing.T, name string) []door {
	t.Helper()
	if gatewayPathOf(t, name) == "" {
		require.True(t, noGateway[name], "%s is not on the gateway: is it so in etcd?", name)
		return []door{byToken, byCertificate}
	}
	require.False(t, noGateway[name], name)
	return []door{byToken, byGateway, byCertificate}
}

// gatewayPathOf is where the gateway has a method, by what its .proto says; "" if
// it does not have it.
func gatewayPathOf(t *testing.T, name string) (path string) {
	t.Helper()
	methodOf(t, name).Options().ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.FullName() == "google.api.http" {
			rule := v.Message()
			path = rule.Get(rule.Descriptor().Fields().ByName("post")).String()
		}
		return true
	})
	return path
}

func methodOf(t *testing.T, name string) protoreflect.MethodDescriptor {
	t.Helper()
	service, method := serviceAndMethod(name)
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	require.NoError(t, err)
	return d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
}

// openDoors gives a member a URL with TLS beside its plain one.
func openDoors(t *testing.T) (*authority, func(*Config)) {
	clients := newAuthority(t)
	files := newTLSFiles(t, clients.sign("server"))
	files.trust(clients)
	return clients, func(c *Config) {
		c.ClientURLs = append(c.ClientURLs, "https://127.0.0.1:0")
		c.TLS = files.TLS
		c.TLS.ClientCertAuth = true
	}
}

// call makes a call through a door, and returns the error of its first answer.
func (s *accessSetup) call(t *testing.T, through door, who accessCaller, name string, method grpc.MethodInfo, request proto.Message) error {
	t.Helper()
	switch through {
	case byGateway:
		return s.callGateway(t, http.DefaultClient, "http://"+s.addr, who, name, request)
	case byCertificate:
		ctx := ctxFor(t)
		if who.madeUp != "" { // which counts, and not the certificate
			ctx, who.user = withToken(t, who.madeUp), "root"
		}
		return invoke(ctx, s.secureConn(t, who.user), name, method, request)
	}
	return invoke(s.tokenContext(t, who), s.conn, name, method, request)
}

// tokenContext is the context of calls with the caller's token.
func (s *accessSetup) tokenContext(t *testing.T, who accessCaller) context.Context {
	t.Helper()
	switch {
	case who.madeUp != "":
		return withToken(t, who.madeUp)
	case who.user != "":
		return s.login(t, who.user, who.user)
	}
	return ctxFor(t)
}

// secure is the address of the URL with TLS.
func (s *accessSetup) secure() string { return s.server.bound.clients[1].Addr().String() }

// certificate is the TLS configuration of a client with a certificate of that name.
func (s *accessSetup) certificate(name string) *tls.Config {
	return clientTLS(s.clients, s.clients.sign(name))
}

func (s *accessSetup) secureConn(t *testing.T, name string) *grpc.ClientConn {
	t.Helper()
	return dialTLS(t, s.secure(), s.certificate(name))
}

// callGateway posts a request, and returns the first answer's error as gRPC's.
func (s *accessSetup) callGateway(t *testing.T, client *http.Client, base string, who accessCaller, name string, request proto.Message) error {
	t.Helper()
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(request)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(ctxFor(t))
	defer cancel() // of a stream no more is read
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+gatewayPathOf(t, name), bytes.NewReader(body))
	require.NoError(t, err)
	if md, _ := metadata.FromOutgoingContext(s.tokenContext(t, who)); len(md.Get("token")) > 0 {
		r.Header.Set("Authorization", md.Get("token")[0])
	}
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	return gatewayError(t, resp)
}

// gatewayAnswer is what the gateway says of an error: alone, in a stream, or as a
// watch that is not.
type gatewayAnswer struct {
	Code    codes.Code `json:"code"`
	Message string     `json:"message"`
	Error   *gatewayAnswer
	Result  struct {
		Canceled     bool
		CancelReason string `json:"cancel_reason"`
	}
}

func gatewayError(t *testing.T, resp *http.Response) error {
	t.Helper()
	var answer gatewayAnswer
	err := json.NewDecoder(resp.Body).Decode(&answer)
	switch {
	case errors.Is(err, io.EOF): // a stream that ends
		require.Equal(t, http.StatusOK, resp.StatusCode)
		return io.EOF
	case err != nil:
		require.NoError(t, err)
	case answer.Error != nil:
		return status.Error(answer.Error.Code, answer.Error.Message)
	case answer.Result.Canceled:
		return errors.New(answer.Result.CancelReason)
	case resp.StatusCode != http.StatusOK:
		require.NotZero(t, answer.Code, answer.Message)
		return status.Error(answer.Code, answer.Message)
	}
	return nil
}

// TestGatewayKnowsNoCertificates calls each method of the gateway with a
// certificate. While users count it is refused, in etcd's words, whatever token
// comes with it: its name would not be the caller's. One without a name does no
// harm and no good.
func TestGatewayKnowsNoCertificates(t *testing.T) {
	s := newAccessSetup(t, 1)
	named, unnamed := httpsClient(t, s.certificate("root"), false), httpsClient(t, s.certificate(""), false)
	post := func(client *http.Client, path, token string) (int, string) {
		r, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, "https://"+s.secure()+path, bytes.NewReader([]byte(`{"key":"YS94"}`)))
		require.NoError(t, err)
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		resp, err := client.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	code, text := post(named, "/v3/kv/range", "")
	require.Equal(t, http.StatusOK, code, "while users do not count: %s", text)
	_, err := s.auth.AuthEnable(ctxFor(t), &pb.AuthEnableRequest{})
	require.NoError(t, err)
	root := tokenOf(s.login(t, "root", "root"))
	for name := range accessMethods(s.member) {
		if noGateway[name] {
			continue
		}
		for _, path := range []string{gatewayPathOf(t, name), "/v3beta" + gatewayPathOf(t, name)[len("/v3"):]} {
			for _, token := range []string{"", root} {
				code, text := post(named, path, token)
				require.Equal(t, http.StatusBadRequest, code, path)
				require.Equal(t, "CommonName of client sending a request against gateway will be ignored and not used as expected\n", text, path)
			}
		}
	}
	code, text = post(unnamed, "/v3/kv/range", "")
	require.Equal(t, http.StatusBadRequest, code, text)
	require.Contains(t, text, "user name is empty")
	code, text = post(unnamed, "/v3/kv/range", root)
	require.Equal(t, http.StatusOK, code, text)
	// What asks for no user is not refused.
	for _, path := range []string{"/health", "/readyz", "/version", "/metrics"} {
		resp, err := named.Get("https://" + s.secure() + path)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
}

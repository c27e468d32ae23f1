package v3rpc

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision"
)

// Each sentinel as etcd says it, spelled out and not taken from rpctypes; and why
// clients may try again by themselves, for ever if nothing changes: it helps, as
// a rule, with this zkine or another one. Without a reason they must not.
var errorCases = []struct {
	err     error
	code    codes.Code
	text    string
	retried string
}{
	{state.ErrCompacted, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted", ""},
	{state.ErrFutureRev, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision", ""},
	{state.ErrKeyNotFound, codes.InvalidArgument, "etcdserver: key not found", ""},
	{state.ErrLeaseNotFound, codes.NotFound, "etcdserver: requested lease not found", ""},
	{state.ErrLeaseExists, codes.FailedPrecondition, "etcdserver: lease already exists", ""},
	{state.ErrLeaseTTLTooLarge, codes.OutOfRange, "etcdserver: too large lease TTL", ""},
	{state.ErrNoSpace, codes.ResourceExhausted, "etcdserver: mvcc: database space exceeded", ""},
	{state.ErrCorrupt, codes.DataLoss, "etcdserver: corrupt cluster", ""},
	{state.ErrMalformed, codes.InvalidArgument, "zkine: malformed request", ""},
	{state.ErrEvaluation, codes.Internal, "zkine: the request could not be evaluated, and had no effect", ""},
	{state.ErrTooManyCompared, codes.InvalidArgument, "etcdserver: too many operations in txn request", ""},
	{state.ErrAnswerTooLarge, codes.ResourceExhausted, "zkine: the answer to the transaction would take more than 512 MiB, and it had no effect; ask for less at once", ""},
	{state.ErrUnanswered, codes.ResourceExhausted, "zkine: the transaction took effect, but its answer takes more than 512 MiB", ""},
	{state.ErrAnswerFailed, codes.Internal, "zkine: the request took effect, but its answer could not be built", ""},
	{state.ErrUnknownRequest, codes.Unavailable, "etcdserver: server stopped", "another one may know it"},
	{revision.ErrUnknown, codes.Unavailable, "etcdserver: request timed out", "the next time it is answered"},
	{revision.ErrQuota, codes.ResourceExhausted, "etcdserver: mvcc: database space exceeded", ""},
	{revision.ErrRefused, codes.FailedPrecondition, "zkine: ZooKeeper refuses the request, which had no effect; zkine's log says why", ""},
	{revision.ErrForbidden, codes.PermissionDenied, "zkine: ZooKeeper does not let this zkine in; zkine's log says why", ""},
	{revision.ErrUnauthenticated, codes.PermissionDenied, "zkine: ZooKeeper does not let this zkine in; zkine's log says why", ""},
	{revision.ErrUnavailable, codes.Unavailable, "etcdserver: no leader", "until ZooKeeper is back"},
	{revision.ErrTooLarge, codes.InvalidArgument, "etcdserver: request is too large", ""},
	{revision.ErrClosed, codes.Unavailable, "etcdserver: server stopped", "another one serves"},
	{backend.ErrClosed, codes.Unavailable, "etcdserver: server stopped", "another one serves"},
	{backend.ErrTooManyRequests, codes.ResourceExhausted, "etcdserver: too many requests", ""},
	{revision.ErrForeignRoot, codes.Unavailable, "etcdserver: server stopped", "this one ends"},
	{revision.ErrNewerFormat, codes.Unavailable, "etcdserver: server stopped", "this one ends; another may be newer"},
	{revision.ErrLogLost, codes.Unavailable, "etcdserver: server stopped", "this one ends"},
	{revision.ErrHalted, codes.Unavailable, "etcdserver: server stopped", "this one ends"},
	{revision.ErrAccepted, codes.Unavailable, "etcdserver: server stopped", "this one ends, and serves when it starts again"},
	{revision.ErrWrongCluster, codes.Unavailable, "etcdserver: server stopped", "this one ends"},
	{revision.ErrNameTaken, codes.Unavailable, "etcdserver: server stopped", "this one ends"},
	{revision.ErrCorrupt, codes.DataLoss, "etcdserver: corrupt cluster", ""},
	{state.ErrPermissionDenied, codes.PermissionDenied, "etcdserver: permission denied", ""},
	{state.ErrUserEmpty, codes.InvalidArgument, "etcdserver: user name is empty", ""},
	{state.ErrAuthOldRevision, codes.InvalidArgument, "etcdserver: revision of auth store is old", "with a new token"},
	{backend.ErrInvalidAuthToken, codes.Unauthenticated, "etcdserver: invalid auth token", "with a new token"},
	{state.ErrAuthFailed, codes.InvalidArgument, "etcdserver: authentication failed, invalid user ID or password", ""},
	{state.ErrAuthNotEnabled, codes.FailedPrecondition, "etcdserver: authentication is not enabled", ""},
	{state.ErrRootUserNotExist, codes.FailedPrecondition, "etcdserver: root user does not exist", ""},
	{state.ErrRootRoleNotExist, codes.FailedPrecondition, "etcdserver: root user does not have root role", ""},
	{state.ErrInvalidAuthMgmt, codes.InvalidArgument, "etcdserver: invalid auth management", ""},
	{state.ErrUserAlreadyExist, codes.FailedPrecondition, "etcdserver: user name already exists", ""},
	{state.ErrUserNotFound, codes.FailedPrecondition, "etcdserver: user name not found", ""},
	{state.ErrRoleEmpty, codes.InvalidArgument, "etcdserver: role name is empty", ""},
	{state.ErrRoleAlreadyExist, codes.FailedPrecondition, "etcdserver: role name already exists", ""},
	{state.ErrRoleNotFound, codes.FailedPrecondition, "etcdserver: role name not found", ""},
	{state.ErrRoleNotGranted, codes.FailedPrecondition, "etcdserver: role is not granted to the user", ""},
	{state.ErrPermissionNotGiven, codes.InvalidArgument, "etcdserver: permission not given", ""},
	{state.ErrPermissionNotGranted, codes.FailedPrecondition, "etcdserver: permission is not granted to the role", ""},
	{state.ErrNoPasswordUser, codes.Unknown, "auth: authentication failed, password was given for no password user", ""},
	{token.ErrVerifyOnly, codes.Unknown, "auth: token signing attempted with verify-only key", ""},
	{etcddb.ErrTempDir, codes.FailedPrecondition, "zkine: while testing: the folder for temporary files cannot be used", ""},
	{etcddb.ErrTempDirFull, codes.ResourceExhausted, "zkine: while testing: the folder for temporary files is full", ""},
	{etcddb.ErrTooManySnapshots, codes.ResourceExhausted, "zkine: while testing: too many snapshots at once", ""},
	{housekeep.ErrUnconfirmed, codes.FailedPrecondition, "zkine: while testing: no other member has confirmed the state of this one; see whether all members are well", ""},
	{housekeep.ErrUnarchived, codes.FailedPrecondition, "zkine: while testing: the log is not in the archive yet, and so is not trimmed; see whether the archive can be reached", ""},
	{context.Canceled, codes.Canceled, "context canceled", "unless it was the client's doing"},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded", "unless it was the client's doing"},
	{ErrRequestTimeout, codes.Unavailable, "etcdserver: request timed out", "it may be in time the next time"},
	{status.Error(codes.Aborted, "as it is"), codes.Aborted, "as it is", ""},
	{errors.New("nobody thought of it"), codes.Unknown, "zkine: while testing: nobody thought of it", ""},
}

// unanswered are sentinels that no call ever returns, and why.
var unanswered = map[string]string{
	"revision.ErrTrimmed":    "the backend goes on from a checkpoint",
	"revision.ErrNotNeeded":  "whoever writes a checkpoint has what it wanted",
	"revision.ErrNoData":     "only commands that look after a root find none",
	"state.ErrBadCheckpoint": "a start fails",
	"revision.ErrUnfinished": "a start fails",
	"etcddb.ErrChecksum":     "only commands that write a snapshot to a file compare its sum",
}

func TestErrors(t *testing.T) {
	r := start(t)
	for _, c := range errorCases {
		t.Run(c.err.Error(), func(t *testing.T) {
			r.backend.Fail(testError(c.err))
			_, got := r.Send(ctxFor(t), &pb.PutRequest{Key: []byte("k")})
			requireStatus(t, status.Error(c.code, c.text), got)
		})
	}
	require.NoError(t, ToGRPC(context.Background(), nil))
}

func testError(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	return fmt.Errorf("while testing: %w", err)
}

// TestErrorsAreRetried by etcd's client where errorCases has a reason for it,
// and nowhere else. It asks for a read, which it repeats more than any other
// call.
func TestErrorsAreRetried(t *testing.T) {
	r := start(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{r.addr}, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer client.Close()
	for _, c := range errorCases {
		t.Run(c.err.Error(), func(t *testing.T) {
			calls := 0
			r.backend.SetAnswer(func(context.Context, any) (any, error) {
				if calls++; calls == 1 {
					return nil, testError(c.err)
				}
				return nil, nil
			})
			_, err := client.Get(ctxFor(t), "k")
			if c.retried != "" {
				require.NoError(t, err)
				require.Equal(t, 2, calls)
				return
			}
			require.Error(t, err)
			require.Equal(t, 1, calls)
		})
	}
}

// TestEverySentinelHasItsCode reads the sources of the packages whose errors
// reach ToGRPC: each sentinel is in errorCases or in unanswered.
func TestEverySentinelHasItsCode(t *testing.T) {
	source, err := os.ReadFile("errors_test.go")
	require.NoError(t, err)
	found := 0
	for _, dir := range []string{"../../backend", "../../backend/etcddb", "../../backend/housekeep", "../../backend/state", "../../backend/token", "../../revision"} {
		for _, name := range sentinels(t, dir) {
			found++
			name = filepath.Base(dir) + "." + name
			if unanswered[name] == "" {
				require.True(t, strings.Contains(string(source), "\t{"+name+", codes."), "list %s in errorCases, with a code; or in unanswered, with a reason", name)
			}
		}
	}
	require.Greater(t, found, 40, "the sources were read")
}

// sentinels are the exported variables of a package that are named like errors.
func sentinels(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != gotoken.VAR {
				continue
			}
			for _, spec := range group.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// An outcome that is unknown stays unknown, even if the context's end is what
// made it so.
func TestUnknownOutcomeBeforeContext(t *testing.T) {
	err := errors.Join(context.DeadlineExceeded, revision.ErrUnknown)
	requireStatus(t, rpctypes.ErrGRPCTimeout, ToGRPC(context.Background(), err))
}

package v3rpc

import (
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOnlyErrorsChooseCodes: a gRPC code is chosen in errors.go and
// errors_statuses.go, and in no other file of the server.
func TestOnlyErrorsChooseCodes(t *testing.T) {
	found := 0
	for _, dir := range []string{".", "..", "../listener", "../wire"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") || path == "errors.go" || path == "errors_statuses.go" {
				continue
			}
			found++
			file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, i := range file.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				require.NoError(t, err)
				require.NotEqual(t, "google.golang.org/grpc/codes", name, "%s: declare the answer in errors_statuses.go", path)
			}
		}
	}
	require.Greater(t, found, 40, "the sources were read")
}

package differential

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A case is a way that once led to a difference: a file with one request a line, as JSON. Seeds would not do, since
// what they lead to changes with the generator. A line that begins with # is a comment.

// casesFolder holds the cases.
const casesFolder = "testdata/cases"

// apiPackage is where the messages of requests are.
const apiPackage = "etcdserverpb."

// caseLine is an operation in a case's file.
type caseLine struct {
	Call     string          `json:"call"` // the message's name
	Request  json.RawMessage `json:"request"`
	Streamed bool            `json:"streamed,omitempty"`
	Stream   int             `json:"stream,omitempty"`
	Await    bool            `json:"await,omitempty"`
}

func readCase(path string) ([]operation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var operations []operation
	for number, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		o, err := parseOperation(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number+1, err)
		}
		operations = append(operations, o)
	}
	return operations, nil
}

func parseOperation(line string) (operation, error) {
	var l caseLine
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return operation{}, err
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(apiPackage + l.Call))
	if err != nil {
		return operation{}, err
	}
	message := kind.New().Interface()
	if err := protojson.Unmarshal(l.Request, message); err != nil {
		return operation{}, err
	}
	return operation{Message: message, streamed: l.Streamed, stream: l.Stream, await: l.Await}, nil
}

func formatOperation(o operation) (string, error) {
	request, err := protojson.Marshal(o.Message)
	if err != nil {
		return "", err
	}
	line, err := json.Marshal(caseLine{string(proto.MessageName(o.Message).Name()), request, o.streamed, o.stream, o.await})
	return string(line), err
}

// keep writes operations to a file, which may become a case, and says where.
func keep(t *testing.T, operations []operation) {
	t.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("differential-%d.jsonl", os.Getpid()))
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	for _, o := range operations {
		line, err := formatOperation(o)
		require.NoError(t, err)
		_, err = fmt.Fprintln(f, line)
		require.NoError(t, err)
	}
	t.Logf("this way is in %s; once mended, put it into %s with a name and a word of what it was", path, casesFolder)
}

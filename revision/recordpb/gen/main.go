// Command gen writes a .pb.go from the .proto in the working directory, with Go modules
// only: no protoc has to be installed. etcd's protos are read from the module that
// go.mod names, so the generated code always matches the API in use.
//
//	go run ./gen [-grpc] NAME/UNDER/WHICH/IT/IS/REGISTERED.proto
//
// With -grpc it writes the services of the file, too.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "go.etcd.io/etcd/api/v3/etcdserverpb" // registers google/api and openapiv2 options
)

// services is what generates services. It is no library, so that it is run.
const services = "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2"

// generator is for one file.
type generator struct {
	// source is the name under which the file is registered: a bare record.proto
	// would clash with others' in one process, etcd's walpb for one. The file
	// itself lies in the working directory.
	source string
	grpc   bool
}

func main() {
	var g generator
	flag.BoolVar(&g.grpc, "grpc", false, "write the services, too")
	flag.Parse()
	g.source = flag.Arg(0)
	if err := g.run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func (g generator) run() error {
	if g.source == "" {
		return errors.New("which file? see the comment on top")
	}
	etcd, err := moduleDir("go.etcd.io/etcd/api/v3")
	if err != nil {
		return err
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.CompositeResolver{
			&protocompile.SourceResolver{Accessor: func(path string) (io.ReadCloser, error) {
				return g.open(etcd, path)
			}},
			protocompile.ResolverFunc(registered),
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), g.source)
	if err != nil {
		return err
	}
	return g.generate(files[0])
}

// open maps the import paths that etcd's protos use among themselves, and the
// bare names under which its Go packages register them, to the module's files.
func (g generator) open(etcd, name string) (io.ReadCloser, error) {
	switch rest, found := strings.CutPrefix(name, "etcd/api/"); {
	case name == g.source:
		return os.Open(path.Base(g.source))
	case found:
		return os.Open(filepath.Join(etcd, filepath.FromSlash(rest)))
	default:
		return os.Open(filepath.Join(etcd, "etcdserverpb", name))
	}
}

func registered(path string) (protocompile.SearchResult, error) {
	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	return protocompile.SearchResult{Desc: file}, nil
}

func (g generator) generate(file linker.File) error {
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{g.source},
		Parameter:      proto.String("paths=source_relative"),
	}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(fd protoreflect.FileDescriptor) {
		if seen[fd.Path()] {
			return
		}
		seen[fd.Path()] = true
		for i := range fd.Imports().Len() {
			add(fd.Imports().Get(i).FileDescriptor)
		}
		request.ProtoFile = append(request.ProtoFile, goPackage(protodesc.ToFileDescriptorProto(fd)))
	}
	add(file)
	// Round trip, so that options compiled as dynamic messages become the generated types.
	raw, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	request = &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(raw, request); err != nil {
		return err
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return err
	}
	for _, f := range plugin.Files {
		if f.Generate {
			internal_gengo.GenerateFile(plugin, f)
		}
	}
	if err := write("protoc-gen-go", plugin.Response()); err != nil || !g.grpc {
		return err
	}
	return generateServices(raw)
}

// generateServices has services make them of the same request.
func generateServices(request []byte) error {
	var out bytes.Buffer
	run := exec.Command("go", "run", services)
	run.Stdin, run.Stdout, run.Stderr = bytes.NewReader(request), &out, os.Stderr
	if err := run.Run(); err != nil {
		return fmt.Errorf("go run %s: %w", services, err)
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out.Bytes(), response); err != nil {
		return err
	}
	return write(services, response)
}

// write writes what a plugin has made.
func write(plugin string, response *pluginpb.CodeGeneratorResponse) error {
	if response.Error != nil {
		return fmt.Errorf("%s: %s", plugin, response.GetError())
	}
	for _, out := range response.GetFile() {
		if err := os.WriteFile(path.Base(out.GetName()), []byte(out.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// goPackage fills in a go_package where a file has none; protogen insists on
// one even for files that it only reads.
func goPackage(fd *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	if fd.GetOptions().GetGoPackage() == "" {
		if fd.Options == nil {
			fd.Options = &descriptorpb.FileOptions{}
		}
		fd.Options.GoPackage = proto.String("example.invalid/" + fd.GetPackage())
	}
	return fd
}

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

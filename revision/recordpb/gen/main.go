// Command gen writes record.pb.go from record.proto, with Go modules only: no
// protoc has to be installed. etcd's protos are read from the module that
// go.mod names, so the generated code always matches the API in use.
package main

import (
	"context"
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

// source is the name under which the file is registered: a bare record.proto
// would clash with others' in one process, etcd's walpb for one. The file
// itself lies in the working directory.
const source = "zkine/recordpb/record.proto"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	etcd, err := moduleDir("go.etcd.io/etcd/api/v3")
	if err != nil {
		return err
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.CompositeResolver{
			&protocompile.SourceResolver{Accessor: func(path string) (io.ReadCloser, error) {
				return open(etcd, path)
			}},
			protocompile.ResolverFunc(registered),
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), source)
	if err != nil {
		return err
	}
	return generate(files[0])
}

// open maps the import paths that etcd's protos use among themselves, and the
// bare names under which its Go packages register them, to the module's files.
func open(etcd, name string) (io.ReadCloser, error) {
	switch rest, found := strings.CutPrefix(name, "etcd/api/"); {
	case name == source:
		return os.Open(path.Base(source))
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

func generate(file linker.File) error {
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{source},
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
	response := plugin.Response()
	if response.Error != nil {
		return fmt.Errorf("protoc-gen-go: %s", response.GetError())
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

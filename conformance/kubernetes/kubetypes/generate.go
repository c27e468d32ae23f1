package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/zkine/zkine/server/console/kube"
)

// special are the types that JSON has another form for.
var special = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():          kube.KindTime,
	reflect.TypeFor[metav1.MicroTime]():     kube.KindMicroTime,
	reflect.TypeFor[metav1.Duration]():      kube.KindDuration,
	reflect.TypeFor[resource.Quantity]():    kube.KindQuantity,
	reflect.TypeFor[intstr.IntOrString]():   kube.KindIntOrString,
	reflect.TypeFor[runtime.RawExtension](): kube.KindRaw,
	reflect.TypeFor[metav1.FieldsV1]():      kube.KindRaw,
}

// stored are the kinds of k8s.io/api, but for those of requests, which nothing stores.
func stored() (kinds []schema.GroupVersionKind) {
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		_, isObject := reflect.New(t).Interface().(metav1.Object)
		_, isList := t.FieldByName("Items")
		if isObject && !isList && gvk.Version != runtime.APIVersionInternal && !strings.HasPrefix(t.PkgPath(), "k8s.io/apimachinery/") {
			kinds = append(kinds, gvk)
		}
	}
	slices.SortFunc(kinds, func(a, b schema.GroupVersionKind) int { return strings.Compare(name(a), name(b)) })
	return kinds
}

// name is how the table calls a kind.
func name(gvk schema.GroupVersionKind) string { return gvk.GroupVersion().String() + " " + gvk.Kind }

func generate() (*kube.Table, error) {
	g := &generator{table: &kube.Table{Source: source(), Kinds: map[string]int{}}, types: map[reflect.Type]int{}}
	for _, gvk := range stored() {
		n, err := g.add(scheme.Scheme.AllKnownTypes()[gvk])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name(gvk), err)
		}
		g.table.Kinds[name(gvk)] = n
	}
	return g.table, nil
}

// source is the module that the types are from.
func source() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "k8s.io/api" {
				return m.Path + " " + m.Version
			}
		}
	}
	return "k8s.io/api"
}

type generator struct {
	table *kube.Table
	types map[reflect.Type]int
}

// add adds a struct, and the types that it needs.
func (g *generator) add(t reflect.Type) (int, error) {
	if n, known := g.types[t]; known {
		return n, nil
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		return 0, fmt.Errorf("%v has another form in JSON, which kube/special.go does not know", t)
	}
	n := len(g.table.Types)
	g.types[t], g.table.Types = n, append(g.table.Types, nil)
	fields := kube.Type{}
	for i := range t.NumField() {
		f, err := g.field(t.Field(i))
		if err != nil {
			return 0, fmt.Errorf("%v.%s: %w", t, t.Field(i).Name, err)
		}
		if f.Number != 0 {
			fields = append(fields, f)
		}
	}
	g.table.Types[n] = fields
	return n, nil
}

// field reads the tags of a field; its number is 0 if it is not in protobuf.
func (g *generator) field(s reflect.StructField) (f kube.Field, err error) {
	inProtobuf := strings.Split(s.Tag.Get("protobuf"), ",")
	if len(inProtobuf) < 2 {
		return f, nil
	}
	if f.Number, err = strconv.Atoi(inProtobuf[1]); err != nil {
		return f, err
	}
	tag := strings.Split(s.Tag.Get("json"), ",")
	f.Name = tag[0]
	f.Inline = slices.Contains(tag, "inline") || s.Anonymous && f.Name == ""
	switch s.Type.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map: // written only if they are there
		f.OmitZero = s.Type.Kind() != reflect.Pointer && slices.Contains(tag, "omitempty")
	case reflect.Struct:
		f.OmitZero = slices.Contains(tag, "omitzero")
	default:
		f.OmitZero = slices.Contains(tag, "omitempty") || slices.Contains(tag, "omitzero")
	}
	return f, g.kind(&f, s.Type)
}

// kind says what values of a type are.
func (g *generator) kind(f *kube.Field, t reflect.Type) (err error) {
	if kind, is := special[t]; is {
		f.Kind = kind
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.kind(f, t.Elem())
	case reflect.String:
		f.Kind = kube.KindString
	case reflect.Bool:
		f.Kind = kube.KindBool
	case reflect.Int32, reflect.Int64:
		f.Kind = kube.KindInt
	case reflect.Float64:
		f.Kind = kube.KindDouble
	case reflect.Struct:
		f.Kind = kube.KindMessage
		f.Type, err = g.add(t)
		return err
	case reflect.Map:
		f.Map = true
		return g.kind(f, t.Elem())
	case reflect.Slice:
		switch {
		case t.Elem().Kind() == reflect.Uint8:
			f.Kind = kube.KindBytes
		case isMessage(t):
			f.Kind = kube.KindList
		default:
			f.Repeated = true
			return g.kind(f, t.Elem())
		}
	default:
		return fmt.Errorf("there is no kind for %v", t)
	}
	return nil
}

// isMessage says whether a list is a message of its own in protobuf, as in maps of lists.
func isMessage(t reflect.Type) bool {
	_, is := reflect.New(t).Interface().(interface{ Unmarshal([]byte) error })
	return is && t.Elem().Kind() == reflect.String
}

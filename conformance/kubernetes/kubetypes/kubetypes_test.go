package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/randfill"
	"sigs.k8s.io/yaml"

	"github.com/zkine/zkine/server/console/kube"
)

const committed = "../../../server/console/kube/types.json.gz"

// TestTableIsUpToDate compares the table in the program with what the types say now.
func TestTableIsUpToDate(t *testing.T) {
	f, err := os.Open(committed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	have, err := kube.ReadTable(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	want.Source = have.Source // a test binary knows no versions
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%s is of other types than go.mod names: run make kube-types", committed)
	}
	if len(want.Kinds) < 100 {
		t.Errorf("only %d kinds were found", len(want.Kinds))
	}
}

// filler fills objects with what is valid, and differs from zero mostly.
func filler(seed int64) *randfill.Filler {
	return randfill.NewWithSeed(seed).NilChance(0.2).NumElements(1, 3).MaxDepth(12).Funcs(
		func(s *string, c randfill.Continue) { *s = fmt.Sprintf("text-%x", c.Uint32()) },
		// What a Secret has that is not as Kubernetes would have it is masked.
		func(u *types.UID, c randfill.Continue) { *u = types.UID(fmt.Sprintf("uid-%x", c.Uint32())) },
		func(s *corev1.SecretType, _ randfill.Continue) { *s = corev1.SecretTypeTLS },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63n(1e9), resource.DecimalSI)
		},
		func(v *metav1.Time, c randfill.Continue) { *v = metav1.NewTime(time.Unix(c.Int63n(1e10), 0)) },
		func(v *metav1.MicroTime, c randfill.Continue) {
			*v = metav1.NewMicroTime(time.Unix(c.Int63n(1e10), c.Int63n(1e6)*1000))
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			if *v = intstr.FromInt32(c.Int31()); c.Bool() {
				*v = intstr.FromString("half")
			}
		},
		func(v *runtime.RawExtension, _ randfill.Continue) {
			v.Raw, v.Object = []byte(`{"x":{"y":[1,"2",null,1.5]}}`), nil
		},
		func(v *metav1.FieldsV1, _ randfill.Continue) { v.SetRawString(`{"f:metadata":{}}`) },
		func(*metav1.TypeMeta, randfill.Continue) {}, // protobuf has it around the object, and not within
		func(v *float64, c randfill.Continue) { *v = c.Float64() },
	)
}

// TestEveryKindReadsAsKubernetesSays compares, for each kind, what the console makes of protobuf with what
// Kubernetes reads of it, and writes as JSON.
func TestEveryKindReadsAsKubernetesSays(t *testing.T) {
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	decoder, written := kube.NewDecoder(), protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	for i, gvk := range stored() {
		t.Run(strings.ReplaceAll(name(gvk), "/", "_"), func(t *testing.T) {
			for round := range 5 {
				object, err := scheme.Scheme.New(gvk)
				if err != nil {
					t.Fatal(err)
				}
				if round > 0 { // the first is empty
					filler(seed + int64(100*i+round)).Fill(object)
				}
				object.GetObjectKind().SetGroupVersionKind(gvk)
				var stored bytes.Buffer
				if err := written.Encode(object, &stored); err != nil {
					t.Fatal(err)
				}
				doc := decoder.Decode([]byte("/registry/x"), stored.Bytes(), kube.Options{ManagedFields: true})
				if !doc.YAML || doc.Note != "" || doc.Truncated || doc.Format != kube.FormatProtobuf {
					t.Fatalf("%+v", doc)
				}
				// What Kubernetes reads of it: a nil in a map has become an empty value.
				read, _, err := written.Decode(stored.Bytes(), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				read.GetObjectKind().SetGroupVersionKind(gvk)
				want, err := json.Marshal(read)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, gvk.Kind, doc, want)
			}
		})
	}
}

// compare has both be equal, but for what is null, and for the data of a Secret.
func compare(t *testing.T, kind string, doc kube.Document, want []byte) {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(doc.Text))
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if kind == "Secret" {
		for _, object := range []map[string]any{a.(map[string]any), b.(map[string]any)} {
			delete(object, "data")
			delete(object, "stringData")
		}
	}
	if a, b = withoutNull(a), withoutNull(b); !reflect.DeepEqual(a, b) {
		left, _ := yaml.Marshal(a)
		right, _ := yaml.Marshal(b)
		t.Fatalf("%s differs.\nThe console's:\n%s\nKubernetes':\n%s", kind, left, right)
	}
}

func withoutNull(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		for k, child := range v {
			if child == nil {
				delete(v, k)
			} else {
				v[k] = withoutNull(child)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNull(v[i])
		}
	}
	return tree
}

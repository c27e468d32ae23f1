package kube

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"io"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// Table is the types of Kubernetes that are stored, as the package comment says. It is exported for what generates it.
type Table struct {
	// Source is the module and version that it was generated from.
	Source string `json:"source"`
	// Kinds are the indexes in Types of the objects, by apiVersion and kind with a space between.
	Kinds map[string]int `json:"kinds"`
	Types []Type         `json:"types"`
}

// Type is a message: its fields.
type Type []Field

// Field is one field of a message.
type Field struct {
	Number int    `json:"n"`
	Name   string `json:"j,omitempty"` // in JSON
	Kind   string `json:"k"`           // one of the kinds below
	// Type is the index of a message's type.
	Type int `json:"t,omitempty"`
	// Repeated fields are lists; Map fields have keys that are strings, and values of the Kind.
	Repeated bool `json:"r,omitempty"`
	Map      bool `json:"m,omitempty"`
	// Inline fields are messages whose fields JSON has in the outer object.
	Inline bool `json:"i,omitempty"`
	// OmitZero fields are left out of JSON if they are zero.
	OmitZero bool `json:"z,omitempty"`
}

// Kinds of fields. Those of messages that JSON has another form for are in special.go.
const (
	KindString  = "s"
	KindBytes   = "b"
	KindBool    = "o"
	KindInt     = "i"
	KindDouble  = "d"
	KindMessage = "m"
)

//go:embed types.json.gz
var packedTable []byte

// table is unpacked when the first object is read: few zkines are asked for one.
var table = sync.OnceValue(func() *indexed {
	t, err := ReadTable(bytes.NewReader(packedTable))
	if err != nil {
		panic(err) // it is a part of the program
	}
	i := &indexed{kinds: t.Kinds, types: make([]message, len(t.Types))}
	for n, fields := range t.Types {
		i.types[n] = make(message, len(fields))
		for _, f := range fields {
			i.types[n][protowire.Number(f.Number)] = f
		}
	}
	return i
})

type indexed struct {
	kinds map[string]int
	types []message
}

// message is a type's fields by number.
type message map[protowire.Number]Field

// ReadTable reads a table.
func ReadTable(from io.Reader) (*Table, error) {
	unpacked, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	return t, json.NewDecoder(unpacked).Decode(t)
}

func lookup(apiVersion, kind string) (message, bool) {
	t := table()
	n, known := t.kinds[apiVersion+" "+kind]
	if !known {
		return nil, false
	}
	return t.types[n], true
}

package logprint

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/server/console/kube"
)

// Op is what a record does with a key, or with a range of them.
type Op struct {
	// Op is put, delete, range or txn.
	Op string `json:"op"`
	// Branch is success or failure, of a transaction.
	Branch string `json:"branch,omitempty"`
	// Key is the key if it is UTF-8, KeyBytes its bytes, in base64, if not; End and
	// EndBytes are the end of a range, which is not in it.
	Key      *string `json:"key,omitempty"`
	KeyBytes []byte  `json:"key_base64,omitempty"`
	End      *string `json:"range_end,omitempty"`
	EndBytes []byte  `json:"range_end_base64,omitempty"`
	// Bytes is the size of the value, and Lease the key's, of a put.
	Bytes int   `json:"bytes,omitempty"`
	Lease int64 `json:"lease,omitempty"`
	// Value is the beginning of the value if it is UTF-8, ValueBytes if not, where
	// that is asked for. Masked says that it is not shown.
	Value      *string `json:"value,omitempty"`
	ValueBytes []byte  `json:"value_base64,omitempty"`
	Masked     bool    `json:"masked,omitempty"`

	from, to []byte // as they are
}

func (f Format) put(r *pb.PutRequest) Op {
	op := Op{Op: "put", Bytes: len(r.Value), Lease: r.Lease, from: r.Key}
	op.Key, op.KeyBytes = textOrBytes(r.Key)
	if f.ValueBytes > 0 && !r.IgnoreValue {
		if kube.MayBeSecret(r.Key, r.Value) {
			op.Masked = true
		} else {
			op.Value, op.ValueBytes = textOrBytes(beginning(r.Value, f.ValueBytes))
		}
	}
	return op
}

func ranged(name string, key, end []byte) Op {
	op := Op{Op: name, from: key, to: end}
	op.Key, op.KeyBytes = textOrBytes(key)
	if len(end) > 0 {
		op.End, op.EndBytes = textOrBytes(end)
	}
	return op
}

// maxDepth bounds how deep transactions are looked into; zkine takes fewer levels.
const maxDepth = 16

// branches are the operations of a transaction.
func (f Format) branches(r *pb.TxnRequest, depth int) (ops []Op) {
	if depth > maxDepth {
		return nil
	}
	for _, branch := range []struct {
		name string
		ops  []*pb.RequestOp
	}{{"success", r.Success}, {"failure", r.Failure}} {
		for _, o := range branch.ops {
			var some []Op
			switch {
			case o.GetRequestPut() != nil:
				some = []Op{f.put(o.GetRequestPut())}
			case o.GetRequestDeleteRange() != nil:
				some = []Op{ranged("delete", o.GetRequestDeleteRange().Key, o.GetRequestDeleteRange().RangeEnd)}
			case o.GetRequestRange() != nil:
				some = []Op{ranged("range", o.GetRequestRange().Key, o.GetRequestRange().RangeEnd)}
			case o.GetRequestTxn() != nil:
				some = f.branches(o.GetRequestTxn(), depth+1)
			}
			for i := range some {
				some[i].Branch = branch.name
			}
			ops = append(ops, some...)
		}
	}
	return ops
}

// touches says whether an operation is about a key that begins with a prefix.
func (o *Op) touches(prefix string) bool {
	key := string(o.from)
	switch {
	case strings.HasPrefix(key, prefix):
		return true
	case len(o.to) == 0:
		return false
	}
	// The range begins before the prefix, and ends behind its first key.
	return key < prefix && (string(o.to) == "\x00" || string(o.to) > prefix)
}

// String is the operation for people.
func (o *Op) String() string {
	text := o.Op + " " + Readable(o.from)
	switch {
	case o.Op == "put":
		text += fmt.Sprintf(" (%d bytes", o.Bytes)
		if o.Lease != 0 {
			text += ", lease " + strconv.FormatInt(o.Lease, 16)
		}
		text += ")"
	case len(o.to) == 1 && o.to[0] == 0:
		text += " and all after it"
	case len(o.to) > 0 && string(o.to) == clientv3.GetPrefixRangeEnd(string(o.from)):
		text += "*"
	case len(o.to) > 0:
		text += " to " + Readable(o.to)
	}
	switch {
	case o.Masked:
		text += " = (not shown: it may be a Secret)"
	case o.Value != nil:
		text += " = " + strconv.Quote(*o.Value) + o.more(len(*o.Value))
	case o.ValueBytes != nil:
		text += " = " + strconv.Quote(string(o.ValueBytes)) + o.more(len(o.ValueBytes))
	}
	return text
}

func (o *Op) more(shown int) string {
	if shown < o.Bytes {
		return "…"
	}
	return ""
}

// beginning is at most n bytes of a value, without half a character at the end.
func beginning(value []byte, n int) []byte {
	if len(value) <= n {
		return value
	}
	cut := value[:n]
	for back := 1; back < utf8.UTFMax && back <= len(cut); back++ {
		if utf8.RuneStart(cut[len(cut)-back]) {
			if !utf8.FullRune(cut[len(cut)-back:]) {
				return cut[:len(cut)-back]
			}
			break
		}
	}
	return cut
}

func textOrBytes(b []byte) (*string, []byte) {
	if !utf8.Valid(b) {
		return nil, b
	}
	text := string(b)
	return &text, nil
}

// Readable is a key as it is, or quoted if a terminal would not show it so.
func Readable(b []byte) string {
	text := string(b)
	if text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	return strconv.Quote(text)
}

package logprint

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/revision/recordpb"
)

// Format says what is shown of a record.
type Format struct {
	// ValueBytes is how many bytes of each value are shown, at most; 0 for none.
	ValueBytes int
}

// Record is a record of the log as it is shown. What is not known, or is none, is left
// out.
type Record struct {
	// Place is segment/slot in the log.
	Place string `json:"place"`
	Time  string `json:"time,omitempty"`
	// Clock is whose time it is: member, or zookeeper.
	Clock  recovery.Clock `json:"clock,omitempty"`
	Member string         `json:"member,omitempty"`
	User   string         `json:"user,omitempty"`
	// Revision is the store's after the record; Changed says that the record made it.
	Revision int64 `json:"revision,omitempty"`
	Changed  bool  `json:"changed,omitempty"`
	// Kind is that of the request, as put, txn or lease-grant.
	Kind string `json:"kind"`
	// Compares is how many comparisons a transaction makes.
	Compares int  `json:"compares,omitempty"`
	Ops      []Op `json:"ops,omitempty"`
	// Changes is what became of it, if the log was replayed.
	Changes []Change `json:"changes,omitempty"`
	// Error is why it did nothing.
	Error string `json:"error,omitempty"`
	// Lease is the id of the lease that it is about, and Detail all else.
	Lease  int64  `json:"lease,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Change is one key that a record has changed.
type Change struct {
	Change   recovery.Kind `json:"change"`
	Key      *string       `json:"key,omitempty"`
	KeyBytes []byte        `json:"key_base64,omitempty"`
	Version  int64         `json:"version,omitempty"`
	Bytes    int           `json:"bytes,omitempty"`
	Lease    int64         `json:"lease,omitempty"`

	key string
}

// Show makes a record to be shown.
func (f Format) Show(r *recovery.Record) *Record {
	out := &Record{Place: r.Slot.Seq.String(), Member: r.Slot.Writer(), User: r.Request.GetHeader().GetUsername(), Revision: int64(r.Revision), Changed: len(r.Changes) > 0}
	if at, clock := r.Slot.Written(); clock != recovery.NoClock {
		out.Time, out.Clock = at.Format("2006-01-02T15:04:05.000Z07:00"), clock
	}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	for _, c := range r.Changes {
		change := Change{Change: c.Kind, Version: c.Version, Bytes: c.Size, Lease: c.Lease, key: c.Key}
		change.Key, change.KeyBytes = textOrBytes([]byte(c.Key))
		out.Changes = append(out.Changes, change)
	}
	f.describe(r.Request, out)
	return out
}

// describe fills in what a request asks for.
func (f Format) describe(r *recordpb.Request, out *Record) {
	switch k := r.GetKind().(type) {
	case nil:
		out.Kind, out.Detail = "duplicate", "a batch that was sent twice: it counts once"
	case *recordpb.Request_Put:
		out.Kind, out.Ops = "put", []Op{f.put(k.Put)}
	case *recordpb.Request_DeleteRange:
		out.Kind, out.Ops = "delete", []Op{ranged("delete", k.DeleteRange.Key, k.DeleteRange.RangeEnd)}
	case *recordpb.Request_Txn:
		out.Kind, out.Compares, out.Ops = "txn", len(k.Txn.Compare), f.branches(k.Txn, 0)
	case *recordpb.Request_Compaction:
		out.Kind, out.Detail = "compaction", fmt.Sprintf("up to revision %d", k.Compaction.Revision)
	case *recordpb.Request_RevisionRaise:
		out.Kind, out.Detail = "revision-raise", fmt.Sprintf("to revision %d", k.RevisionRaise.To)
	case *recordpb.Request_Alarm:
		out.Kind, out.Detail = "alarm", fmt.Sprintf("%s %s of member %x", strings.ToLower(k.Alarm.Action.String()), k.Alarm.Alarm, k.Alarm.MemberID)
	case *recordpb.Request_DigestMark:
		out.Kind, out.Detail = "digest-mark", "members are to compare their states"
	case *recordpb.Request_DigestReport:
		out.Kind, out.Detail = "digest-report", fmt.Sprintf("member %x has %016x at %d/%d", k.DigestReport.MemberId, k.DigestReport.Digest, k.DigestReport.Segment, k.DigestReport.Slot)
	default:
		if !describeLease(r, out) {
			describeAuth(r, out)
		}
	}
}

func describeLease(r *recordpb.Request, out *Record) bool {
	switch k := r.Kind.(type) {
	case *recordpb.Request_LeaseGrant:
		out.Kind, out.Lease, out.Detail = "lease-grant", k.LeaseGrant.ID, fmt.Sprintf("for %d s", k.LeaseGrant.TTL)
	case *recordpb.Request_LeaseRevoke:
		out.Kind, out.Lease = "lease-revoke", k.LeaseRevoke.ID
	case *recordpb.Request_LeaseRenew:
		if out.Kind, out.Lease = "lease-renew", k.LeaseRenew.Id; out.Lease == 0 {
			out.Kind, out.Detail = "nothing", "a sign of life, which does nothing"
		}
	case *recordpb.Request_LeaseExpire:
		out.Kind, out.Lease = "lease-expire", k.LeaseExpire.Id
	case *recordpb.Request_LeaseRemaining:
		out.Kind, out.Lease, out.Detail = "lease-remaining", k.LeaseRemaining.Id, fmt.Sprintf("%d s are left", k.LeaseRemaining.RemainingTtl)
	default:
		return false
	}
	return true
}

// describeAuth names users and roles. Passwords, their hashes and tokens are left out.
func describeAuth(r *recordpb.Request, out *Record) {
	switch k := r.Kind.(type) {
	case *recordpb.Request_Authenticate:
		out.Kind, out.Detail = "authenticate", "user "+Readable([]byte(k.Authenticate.Name))
	case *recordpb.Request_AuthEnable:
		out.Kind = "auth-enable"
	case *recordpb.Request_AuthDisable:
		out.Kind = "auth-disable"
	case *recordpb.Request_AuthUserAdd:
		out.Kind, out.Detail = "user-add", "user "+Readable([]byte(k.AuthUserAdd.Name))
	case *recordpb.Request_AuthUserDelete:
		out.Kind, out.Detail = "user-delete", "user "+Readable([]byte(k.AuthUserDelete.Name))
	case *recordpb.Request_AuthUserChangePassword:
		out.Kind, out.Detail = "user-password", "user "+Readable([]byte(k.AuthUserChangePassword.Name))
	case *recordpb.Request_AuthUserGrantRole:
		out.Kind, out.Detail = "user-grant-role", fmt.Sprintf("role %s to user %s", Readable([]byte(k.AuthUserGrantRole.Role)), Readable([]byte(k.AuthUserGrantRole.User)))
	case *recordpb.Request_AuthUserRevokeRole:
		out.Kind, out.Detail = "user-revoke-role", fmt.Sprintf("role %s from user %s", Readable([]byte(k.AuthUserRevokeRole.Role)), Readable([]byte(k.AuthUserRevokeRole.Name)))
	case *recordpb.Request_AuthRoleAdd:
		out.Kind, out.Detail = "role-add", "role "+Readable([]byte(k.AuthRoleAdd.Name))
	case *recordpb.Request_AuthRoleDelete:
		out.Kind, out.Detail = "role-delete", "role "+Readable([]byte(k.AuthRoleDelete.Role))
	case *recordpb.Request_AuthRoleGrantPermission:
		p := k.AuthRoleGrantPermission
		out.Kind, out.Detail = "role-grant", fmt.Sprintf("role %s: %s", Readable([]byte(p.Name)), permission(strings.ToLower(p.GetPerm().GetPermType().String()), p.GetPerm().GetKey(), p.GetPerm().GetRangeEnd()))
	case *recordpb.Request_AuthRoleRevokePermission:
		p := k.AuthRoleRevokePermission
		out.Kind, out.Detail = "role-revoke", fmt.Sprintf("role %s: %s", Readable([]byte(p.Role)), permission("what it may", p.Key, p.RangeEnd))
	default:
		out.Kind, out.Detail = "unknown", "of a newer zkine"
	}
}

func permission(may string, key, end []byte) string {
	op := ranged(may, key, end)
	return op.String()
}

// Touches says whether a record is about a key that begins with a prefix.
func (r *Record) Touches(prefix string) bool {
	for i := range r.Ops {
		if r.Ops[i].touches(prefix) {
			return true
		}
	}
	for _, c := range r.Changes {
		if strings.HasPrefix(c.key, prefix) {
			return true
		}
	}
	return false
}

const row = "%-10s %-24s %-16s %10s %-16s %s\n"

// Head is the first line of a table of records.
func Head() string { return fmt.Sprintf(row, "PLACE", "TIME", "MEMBER", "REVISION", "KIND", "WHAT") }

// String is the record as a line of the table.
func (r *Record) String() string {
	rev := "-"
	if r.Revision > 0 {
		rev = strconv.FormatInt(r.Revision, 10)
	}
	return fmt.Sprintf(row, r.Place, orDash(r.Time), orDash(r.Member), rev, r.Kind, r.what())
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return Readable([]byte(text))
}

// what says in a few words what the record is about, and what became of it.
func (r *Record) what() string {
	var parts []string
	if r.Lease != 0 && len(r.Ops) == 0 {
		parts = append(parts, "lease "+strconv.FormatInt(r.Lease, 16))
	}
	if r.Detail != "" {
		parts = append(parts, r.Detail)
	}
	if r.Kind == "txn" {
		parts = append(parts, r.txn())
	} else {
		for i := range r.Ops {
			parts = append(parts, r.Ops[i].String())
		}
	}
	text := strings.Join(parts, ", ")
	switch {
	case r.Error != "":
		text += ": refused: " + r.Error
	case len(r.Changes) > 0:
		text += r.became()
	case r.Revision > 0 && len(r.Changes) == 0 && len(r.Ops) > 0:
		text += " -> nothing changed"
	}
	if r.User != "" {
		text += ", for user " + Readable([]byte(r.User))
	}
	return text
}

// became says what has changed. Where that is the one key that was asked for, it is not
// named again.
func (r *Record) became() string {
	if len(r.Changes) != 1 || len(r.Ops) != 1 || r.Kind == "txn" || r.Changes[0].key != string(r.Ops[0].from) {
		return " -> " + changed(r.Changes)
	}
	switch c := r.Changes[0]; c.Change {
	case recovery.Create:
		return " -> created"
	case recovery.Put:
		return fmt.Sprintf(" -> version %d", c.Version)
	default:
		return " -> deleted"
	}
}

// txn are the branches of a transaction.
func (r *Record) txn() string {
	branches := map[string][]string{}
	for i := range r.Ops {
		branches[r.Ops[i].Branch] = append(branches[r.Ops[i].Branch], r.Ops[i].String())
	}
	text := strings.Join(branches["success"], "; ")
	if r.Compares > 0 {
		holds := "compare holds"
		if r.Compares > 1 {
			holds = "compares hold"
		}
		text = fmt.Sprintf("if %d %s: %s", r.Compares, holds, text)
	}
	if len(branches["failure"]) > 0 {
		text += " else: " + strings.Join(branches["failure"], "; ")
	}
	return text
}

// mostChanges bounds how many keys a line names.
const mostChanges = 8

func changed(all []Change) string {
	var parts []string
	for _, c := range all[:min(len(all), mostChanges)] {
		text := fmt.Sprintf("%s %s", c.Change, Readable([]byte(c.key)))
		if c.Version > 0 {
			text += fmt.Sprintf(" (version %d, %d bytes)", c.Version, c.Bytes)
		}
		parts = append(parts, text)
	}
	if left := len(all) - mostChanges; left > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(parts, ", ")
}

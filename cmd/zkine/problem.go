package main

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkacl"
)

// problem is an error for people, in one line: which thing, what is wrong with
// it, and what to do.
type problem struct {
	thing, what, remedy string
	cause               error
	usage               bool // the command line or the environment is wrong
	blind               bool // nothing could be looked at
	decide              bool // to start again is of no use until a person has decided
}

// Unwrap is what it was made of, where a caller asks for that; nil elsewhere.
func (p *problem) Unwrap() error { return p.cause }

func (p *problem) Error() string {
	var b strings.Builder
	if p.thing != "" {
		b.WriteString(p.thing + ": ")
	}
	b.WriteString(p.what)
	if p.remedy != "" {
		b.WriteString(" — " + p.remedy)
	}
	return b.String()
}

// remedies are for errors that do not bring their own, by what they wrap.
var remedies = []struct {
	err    error
	remedy string
}{
	{embedded.ErrSystem, "serve a ZooKeeper that runs elsewhere: --zookeeper=host:2181"},
	{embedded.ErrNoJava, "or serve a ZooKeeper that runs elsewhere: --zookeeper=host:2181"},
	{embedded.ErrNoZooKeeper, "or serve a ZooKeeper that runs elsewhere: --zookeeper=host:2181"},
	{embedded.ErrInUse, "stop that process, or choose another --data-dir"},
	{revision.ErrForeignRoot, "choose another --zookeeper-root"},
	{revision.ErrNewerFormat, "upgrade this zkine"},
	{revision.ErrCorrupt, `see "Corrupt" in docs/operations.md`},
	{revision.ErrNoData, "check --zookeeper-root and --zookeeper"},
	{revision.ErrWrongCluster, "check --zookeeper and --zookeeper-root"},
	{revision.ErrLogLost, `see "The log went back" in docs/operations.md`},
	{revision.ErrForbidden, "give zkine all permissions on everything under its root; see zkine acl --help"},
	{zkacl.ErrAnonymous, "name credentials with --zookeeper-auth-file, or a certificate with --zookeeper-cert-file for a server that asks for one"},
	{revision.ErrNameTaken, "choose another --name"},
	{archive.ErrForeign, "name an archive, or for a new one a folder or a prefix that is empty"},
	{archive.ErrNewerFormat, "upgrade this zkine"},
	{archive.ErrCorrupt, `see "When an archive is damaged" in docs/recovery.md`},
	{archive.ErrHole, `see "When an archive is damaged" in docs/recovery.md`},
	{archive.ErrDiverged, `see "An archive that does not fit" in docs/recovery.md`},
	{archive.ErrEmpty, "check --archive, and --archive-cluster"},
	{archive.ErrTooEarly, "choose a later time or revision"},
	{recovery.ErrTooEarly, "choose a later time or revision"},
	{recovery.ErrTooLate, "choose an earlier one, or leave it out for all that there is"},
}

// explain makes a problem of any error. By convention of the packages below, an
// error that knows its remedy ends with it, after a semicolon.
func explain(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return about("", err)
}

// about is explain that names the thing too, unless the error is a problem
// already.
func about(thing string, err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	p = &problem{thing: thing, what: oneLine(err.Error()), decide: mustDecide(err)}
	if known := knownRemedy(err); known != "" {
		p.remedy = known
		if errors.Is(err, embedded.ErrNoJava) || errors.Is(err, embedded.ErrNoZooKeeper) {
			return p // what to install is said before
		}
	}
	if what, remedy, found := parted(err); found {
		p.what = what
		p.remedy, _, _ = strings.Cut(remedy, ": ") // a cause, wrapped behind the remedy
	}
	return p
}

// fileProblem is about a file that a command was to write: what the system says of it, or
// of one that was to become it, and what to do.
func fileProblem(name string, err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) {
		return about(name, err)
	}
	p := &problem{thing: name, what: "it cannot be written: " + at.Err.Error(), remedy: "name a file in a folder that is there and can be written to"}
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			p.remedy = "make room there, or name a file elsewhere"
		}
	}
	return p
}

// mustDecide says whether a person must.
func mustDecide(err error) bool {
	return !errors.Is(err, revision.ErrAccepted) &&
		(errors.Is(err, revision.ErrLogLost) || errors.Is(err, revision.ErrHalted) || errors.Is(err, revision.ErrWrongCluster))
}

func knownRemedy(err error) string {
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return r.remedy
		}
	}
	return ""
}

// oneLine drops the names of packages, which say nothing to people, and all but
// the first line.
func oneLine(text string) string {
	text = packageNames.ReplaceAllString(text, "$1")
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// packageNames begin errors, and those that they wrap. In other places the words are
// words: "at its revision: ", "--archive: ", "etcdserver: ".
var packageNames = regexp.MustCompile(`(^|[:;,] |\()(?:(?:revision|backend|server|embedded|identity|zkacl|transfer|state|archive|recovery|objectstore): )+`)

// parted is an error's text, and the remedy that it ends with by convention.
func parted(err error) (what, remedy string, found bool) {
	what = oneLine(err.Error())
	if i := strings.LastIndex(what, "; "); i >= 0 {
		return what[:i], what[i+2:], true
	}
	return what, "", false
}

package main

import (
	"errors"
	"strings"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkacl"
)

// problem is an error for people, in one line: which thing, what is wrong with
// it, and what to do.
type problem struct {
	thing, what, remedy string
	usage               bool // the command line or the environment is wrong
	decide              bool // to start again is of no use until a person has decided
}

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
	for _, pkg := range []string{"revision: ", "backend: ", "server: ", "embedded: ", "identity: ", "zkacl: "} {
		text = strings.ReplaceAll(text, pkg, "")
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// parted is an error's text, and the remedy that it ends with by convention.
func parted(err error) (what, remedy string, found bool) {
	what = oneLine(err.Error())
	if i := strings.LastIndex(what, "; "); i >= 0 {
		return what[:i], what[i+2:], true
	}
	return what, "", false
}

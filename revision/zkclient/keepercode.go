package zkclient

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/throttle"
)

// Reaction is what zkine does when ZooKeeper answers with a code.
type Reaction int

const (
	// Expected: the caller knows what the answer means to it. Where it means
	// nothing, only the verification of a new session can tell more.
	Expected Reaction = iota
	// Retry: the same request may pass after a pause, on the same session.
	Retry
	// Redial: a new session may pass, after a pause.
	Redial
	// Refuse: the request will not pass until a person changes something. The
	// client hears it, and until it passes ZooKeeper is asked now and then only.
	Refuse
	// Stop: zkine must not go on.
	Stop
)

// Code is one value of ZooKeeper's KeeperException.Code, and what zkine
// makes of it.
type Code struct {
	number int32
	name   string // ZooKeeper's
	// client is the Go client's error; nil where it knows none, and says
	// "unknown error: <number>".
	client error
	// Definite says that the request had no effect and never will.
	Definite bool
	Does     Reaction
	// sentinel is what the error wraps; nil for none.
	sentinel error
	// what and remedy are for people; empty where callers have words of their own.
	what, remedy string
}

// Remedies that several codes share.
const (
	lookAtServer   = "see ZooKeeper's own log"
	zkineBug       = "zkine never asks for that, please report it with ZooKeeper's log"
	giveCredential = "name credentials that the server knows with --zookeeper-auth-file, or a certificate with --zookeeper-cert-file"
	openPermission = "give zkine all permissions on everything under its root with zkine acl apply, or have it authenticate as one that has them, with --zookeeper-auth-file or --zookeeper-cert-file"
)

// keeperCodes is the whole list of ZooKeeper 3.9.6, in its order. A code is
// definite only where the server decides it before it makes a transaction
// (PrepRequestProcessor), or where it has no part in zkine's writes.
// MARSHALLINGERROR, for one, is what a server says to any exception of its own,
// also to one that came after the write was done.
var keeperCodes = []Code{
	{-1, "SYSTEMERROR", nil, false, Retry, nil, "the server has an error of its own", lookAtServer},
	{-2, "RUNTIMEINCONSISTENCY", nil, false, Retry, nil, "the server found itself inconsistent", lookAtServer},
	{-3, "DATAINCONSISTENCY", nil, false, Retry, nil, "the server found its data inconsistent", lookAtServer},
	{-4, "CONNECTIONLOSS", nil, false, Redial, nil, "the server lost a connection", lookAtServer},
	{-5, "MARSHALLINGERROR", nil, false, Retry, nil, "the server failed while it worked on the request", lookAtServer},
	{-6, "UNIMPLEMENTED", nil, true, Refuse, revision.ErrRefused, "the server does not know the request", "serve a ZooKeeper of 3.5 or newer"},
	{-7, "OPERATIONTIMEOUT", nil, false, Retry, nil, "the server gave the request up", lookAtServer},
	{-8, "BADARGUMENTS", zk.ErrBadArguments, true, Refuse, revision.ErrRefused, "the server does not accept the request's arguments", zkineBug},
	{-12, "UNKNOWNSESSION", nil, false, Redial, nil, "the server does not know the session", lookAtServer},
	{-13, "NEWCONFIGNOQUORUM", nil, true, Retry, nil, "the ensemble is being reconfigured", lookAtServer},
	{-14, "RECONFIGINPROGRESS", nil, true, Retry, nil, "the ensemble is being reconfigured", lookAtServer},

	{-100, "APIERROR", zk.ErrAPIError, false, Retry, nil, "the server refuses without a reason", lookAtServer},
	{-101, "NONODE", zk.ErrNoNode, true, Expected, nil, "", ""},
	{-102, "NOAUTH", zk.ErrNoAuth, true, Stop, revision.ErrForbidden, "access denied, the znode's ACL keeps this zkine out", openPermission},
	{-103, "BADVERSION", zk.ErrBadVersion, true, Expected, nil, "", ""},
	{-108, "NOCHILDRENFOREPHEMERALS", zk.ErrNoChildrenForEphemerals, true, Refuse, revision.ErrRefused,
		"the znode's parent is ephemeral, and goes with another program's session", "choose another --zookeeper-root"},
	{-110, "NODEEXISTS", zk.ErrNodeExists, true, Expected, nil, "", ""},
	{-111, "NOTEMPTY", zk.ErrNotEmpty, true, Expected, nil, "", ""},
	{-112, "SESSIONEXPIRED", zk.ErrSessionExpired, true, Redial, nil, "the session has expired", ""},
	{-113, "INVALIDCALLBACK", nil, false, Retry, nil, "the server speaks of a callback", zkineBug},
	{-114, "INVALIDACL", zk.ErrInvalidACL, true, Refuse, revision.ErrRefused, "the server does not accept the ACL that zkine's znodes are to have",
		"see --zookeeper-acl, whose creator needs credentials or a certificate that the server knows, and each scheme must be one that it serves"},
	{-115, "AUTHFAILED", zk.ErrAuthFailed, true, Redial, revision.ErrUnauthenticated, "the server does not accept zkine's credentials", giveCredential},
	{-116, "CLOSING", zk.ErrClosing, false, Redial, nil, "the client is closing", ""},
	{-117, "NOTHING", zk.ErrNothing, false, Redial, nil, "the client has nothing to process", ""},
	{-118, "SESSIONMOVED", zk.ErrSessionMoved, true, Redial, nil, "another server has taken the session over", ""},
	{-119, "NOTREADONLY", nil, true, Redial, nil, "the server is cut off from the others, and only answers reads",
		"mend the ensemble's network, or start more of its servers"},
	{-120, "EPHEMERALONLOCALSESSION", nil, true, Refuse, revision.ErrRefused, "the servers give local sessions, which can have no ephemeral znodes",
		"set localSessionsUpgradingEnabled=true on the servers, or localSessionsEnabled=false"},
	{-121, "NOWATCHER", nil, true, Retry, nil, "the server knows no such watch", zkineBug},
	{-122, "REQUESTTIMEOUT", nil, false, Retry, nil, "the request took too long", lookAtServer},
	{-123, "RECONFIGDISABLED", zk.ErrReconfigDisabled, true, Refuse, revision.ErrRefused, "reconfiguration is turned off", zkineBug},
	{-124, "SESSIONCLOSEDREQUIRESASLAUTH", nil, true, Redial, revision.ErrUnauthenticated,
		"the server demands authentication", giveCredential},
	{-125, "QUOTAEXCEEDED", nil, true, Refuse, revision.ErrQuota, "a quota in ZooKeeper is used up",
		"raise it with zkCli.sh (listquota and setquota -N or -B, on zkine's root and what is above it), or remove what else is under it"},
	{-127, "THROTTLEDOP", nil, true, Retry, nil, "the server is overloaded, and drops requests that wait for long (throttledOpWaitTime)",
		"lessen its load, or give it more to work with"},
}

// strangeName is the name of a code that is not in the list.
const strangeName = "an unknown code"

// strangeCode is what is known of a code that no ZooKeeper of today has.
func strangeCode(number int32) *Code {
	return &Code{number: number, name: strangeName, Does: Retry,
		what: "the server answers with a code that no ZooKeeper up to 3.9 has", remedy: lookAtServer}
}

// clientUnknown begins what the Go client says to a code that it does not know.
const clientUnknown = "unknown error: "

// errorOf is what the Go client makes of a code.
func errorOf(number int32) error {
	for i := range keeperCodes {
		if c := &keeperCodes[i]; c.number == number && c.client != nil {
			return c.client
		}
	}
	return fmt.Errorf("%s%v", clientUnknown, number)
}

// CodeOf finds the code in an error of a ZooKeeper call; nil if it is none, as
// when the connection was lost.
func CodeOf(err error) *Code {
	if err == nil {
		return nil
	}
	var known *KeeperError
	if errors.As(err, &known) {
		return known.code
	}
	for i := range keeperCodes {
		if c := &keeperCodes[i]; c.client != nil && errors.Is(err, c.client) {
			return c
		}
	}
	digits, found := strings.CutPrefix(err.Error(), clientUnknown)
	number, failed := strconv.ParseInt(digits, 10, 32)
	if !found || failed != nil {
		return nil
	}
	for i := range keeperCodes {
		if keeperCodes[i].number == int32(number) {
			return &keeperCodes[i]
		}
	}
	return strangeCode(int32(number))
}

// KeeperError is a code that ZooKeeper answered with, in words. It wraps the
// code's sentinel, and the client's error.
type KeeperError struct {
	// Path is the znode that it is about.
	Path string
	code *Code
	err  error // the client's
}

// Code is ZooKeeper's number for it.
func (e *KeeperError) Code() int { return int(e.code.number) }

func (e *KeeperError) Error() string {
	text := fmt.Sprintf("ZooKeeper answers %s (%d) for %s: %s", e.code.name, e.code.number, e.Path, e.code.what)
	if e.code.remedy != "" {
		text += "; " + e.code.remedy
	}
	return text
}

func (e *KeeperError) Unwrap() []error {
	if e.code.sentinel == nil {
		return []error{e.err}
	}
	return []error{e.code.sentinel, e.err}
}

// Named puts words to an error of a ZooKeeper call on a znode: it becomes a
// KeeperError. What callers expect stays as it is. A Conn that is no real one
// words its errors so, too.
func Named(path string, err error) error {
	if code := CodeOf(err); code != nil && code.Does != Expected {
		return &KeeperError{Path: path, code: code, err: err}
	}
	return err
}

// Warn logs an answer that makes zkine try again. Codes that zkine does not
// know are of one kind.
func (c *Code) Warn(log *logrus.Entry, said *throttle.Lines, err error) {
	if left, ok := said.Allow("code " + c.name); ok {
		log.WithError(err).Warn("ZooKeeper does not do what zkine asks; trying again" + left)
	}
}

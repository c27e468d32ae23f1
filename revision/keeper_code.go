package revision

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/throttle"

	"github.com/sirupsen/logrus"
)

// reaction is what zkine does when ZooKeeper answers with a code.
type reaction int

const (
	// expected: the caller knows what the answer means to it. Where it means
	// nothing, only the greeting of a new session can tell more.
	expected reaction = iota
	// again: the same request may pass after a pause, on the same session.
	again
	// anew: a new session may pass, after a pause.
	anew
	// refuse: the request will not pass until a person changes something. The
	// client hears it, and until it passes ZooKeeper is asked now and then only.
	refuse
	// stop: zkine must not go on.
	stop
)

// keeperCode is one value of ZooKeeper's KeeperException.Code, and what zkine
// makes of it.
type keeperCode struct {
	number int32
	name   string // ZooKeeper's
	// client is the Go client's error; nil where it knows none, and says
	// "unknown error: <number>".
	client error
	// definite says that the request had no effect and never will.
	definite bool
	does     reaction
	// sentinel is what the error wraps; nil for none.
	sentinel error
	// what and remedy are for people; empty where callers have words of their own.
	what, remedy string
}

// Remedies that several codes share.
const (
	lookAtServer   = "see ZooKeeper's own log"
	zkineBug       = "zkine never asks for that, please report it with ZooKeeper's log"
	noAuthYet      = "turn off sessionRequireClientSASLAuth and enforce.auth.enabled on the servers, or point --zookeeper at servers that do not demand it"
	openPermission = "give zkine all permissions on everything under its root"
)

// keeperCodes is the whole list of ZooKeeper 3.9.6, in its order. A code is
// definite only where the server decides it before it makes a transaction
// (PrepRequestProcessor), or where it has no part in zkine's writes.
// MARSHALLINGERROR, for one, is what a server says to any exception of its own,
// also to one that came after the write was done.
var keeperCodes = []keeperCode{
	{-1, "SYSTEMERROR", nil, false, again, nil, "the server has an error of its own", lookAtServer},
	{-2, "RUNTIMEINCONSISTENCY", nil, false, again, nil, "the server found itself inconsistent", lookAtServer},
	{-3, "DATAINCONSISTENCY", nil, false, again, nil, "the server found its data inconsistent", lookAtServer},
	{-4, "CONNECTIONLOSS", nil, false, anew, nil, "the server lost a connection", lookAtServer},
	{-5, "MARSHALLINGERROR", nil, false, again, nil, "the server failed while it worked on the request", lookAtServer},
	{-6, "UNIMPLEMENTED", nil, true, refuse, ErrRefused, "the server does not know the request", "serve a ZooKeeper of 3.5 or newer"},
	{-7, "OPERATIONTIMEOUT", nil, false, again, nil, "the server gave the request up", lookAtServer},
	{-8, "BADARGUMENTS", zk.ErrBadArguments, true, refuse, ErrRefused, "the server does not accept the request's arguments", zkineBug},
	{-12, "UNKNOWNSESSION", nil, false, anew, nil, "the server does not know the session", lookAtServer},
	{-13, "NEWCONFIGNOQUORUM", nil, true, again, nil, "the ensemble is being reconfigured", lookAtServer},
	{-14, "RECONFIGINPROGRESS", nil, true, again, nil, "the ensemble is being reconfigured", lookAtServer},

	{-100, "APIERROR", zk.ErrAPIError, false, again, nil, "the server refuses without a reason", lookAtServer},
	{-101, "NONODE", zk.ErrNoNode, true, expected, nil, "", ""},
	{-102, "NOAUTH", zk.ErrNoAuth, true, stop, ErrForbidden, "access denied, the znode's ACL keeps this zkine out", openPermission},
	{-103, "BADVERSION", zk.ErrBadVersion, true, expected, nil, "", ""},
	{-108, "NOCHILDRENFOREPHEMERALS", zk.ErrNoChildrenForEphemerals, true, refuse, ErrRefused,
		"the znode's parent is ephemeral, and goes with another program's session", "choose another --zookeeper-root"},
	{-110, "NODEEXISTS", zk.ErrNodeExists, true, expected, nil, "", ""},
	{-111, "NOTEMPTY", zk.ErrNotEmpty, true, expected, nil, "", ""},
	{-112, "SESSIONEXPIRED", zk.ErrSessionExpired, true, anew, nil, "the session has expired", ""},
	{-113, "INVALIDCALLBACK", nil, false, again, nil, "the server speaks of a callback", zkineBug},
	{-114, "INVALIDACL", zk.ErrInvalidACL, true, refuse, ErrRefused, "the server does not accept the ACL world:anyone",
		"let it, since zkine makes znodes that all may change"},
	{-115, "AUTHFAILED", zk.ErrAuthFailed, true, anew, ErrUnauthenticated, "the server does not accept who this zkine is", noAuthYet},
	{-116, "CLOSING", zk.ErrClosing, false, anew, nil, "the client is closing", ""},
	{-117, "NOTHING", zk.ErrNothing, false, anew, nil, "the client has nothing to process", ""},
	{-118, "SESSIONMOVED", zk.ErrSessionMoved, true, anew, nil, "another server has taken the session over", ""},
	{-119, "NOTREADONLY", nil, true, anew, nil, "the server is cut off from the others, and only answers reads",
		"mend the ensemble's network, or start more of its servers"},
	{-120, "EPHEMERALONLOCALSESSION", nil, true, refuse, ErrRefused, "the servers give local sessions, which can have no ephemeral znodes",
		"set localSessionsUpgradingEnabled=true on the servers, or localSessionsEnabled=false"},
	{-121, "NOWATCHER", nil, true, again, nil, "the server knows no such watch", zkineBug},
	{-122, "REQUESTTIMEOUT", nil, false, again, nil, "the request took too long", lookAtServer},
	{-123, "RECONFIGDISABLED", zk.ErrReconfigDisabled, true, refuse, ErrRefused, "reconfiguration is turned off", zkineBug},
	{-124, "SESSIONCLOSEDREQUIRESASLAUTH", nil, true, anew, ErrUnauthenticated,
		"the server demands authentication, which this zkine cannot give", noAuthYet},
	{-125, "QUOTAEXCEEDED", nil, true, refuse, ErrQuota, "a quota in ZooKeeper is used up",
		"raise it with zkCli.sh (listquota and setquota -N or -B, on zkine's root and what is above it), or remove what else is under it"},
	{-127, "THROTTLEDOP", nil, true, again, nil, "the server is overloaded, and drops requests that wait for long (throttledOpWaitTime)",
		"lessen its load, or give it more to work with"},
}

// strangeName is the name of a code that is not in the list.
const strangeName = "an unknown code"

// strangeCode is what is known of a code that no ZooKeeper of today has.
func strangeCode(number int32) *keeperCode {
	return &keeperCode{number: number, name: strangeName, does: again,
		what: "the server answers with a code that no ZooKeeper up to 3.9 has", remedy: lookAtServer}
}

// clientUnknown begins what the Go client says to a code that it does not know.
const clientUnknown = "unknown error: "

// codeOf finds the code in an error of a ZooKeeper call; nil if it is none, as
// when the connection was lost.
func codeOf(err error) *keeperCode {
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
	code *keeperCode
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

// named puts words to an error of a ZooKeeper call on a znode. What callers
// expect stays as it is.
func named(path string, err error) error {
	if code := codeOf(err); code != nil && code.does != expected {
		return &KeeperError{Path: path, code: code, err: err}
	}
	return err
}

// warn logs an answer that makes zkine try again. Codes that zkine does not
// know are of one kind.
func (c *keeperCode) warn(log *logrus.Entry, said *throttle.Lines, err error) {
	if left, ok := said.Allow("code " + c.name); ok {
		log.WithError(err).Warn("ZooKeeper does not do what zkine asks; trying again" + left)
	}
}

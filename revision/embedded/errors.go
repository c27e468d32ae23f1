package embedded

import "errors"

// Before a start: what Find and Start refuse. The wrapping error says what to install or whom to ask.
var (
	// ErrSystem means that a ZooKeeper cannot be kept as a child on this operating system.
	ErrSystem = errors.New("this operating system has no way to keep a local ZooKeeper to one user and one zkine")
	// ErrNoJava means that no Java runtime was found.
	ErrNoJava = errors.New("no Java runtime found")
	// ErrNoZooKeeper means that no complete set of ZooKeeper's jars was found.
	ErrNoZooKeeper = errors.New("no ZooKeeper found")
	// ErrInUse means that another process has the data folder.
	ErrInUse = errors.New("the data folder is in use")
	// ErrFolder means that the data folder cannot be made or written; the system's error is wrapped, too.
	ErrFolder = errors.New("the data folder cannot be used")
	// ErrPortInUse means that something listens on the port that was asked for; were it another ZooKeeper, zkine would
	// take that one for its own.
	ErrPortInUse = errors.New("the client port is in use")
)

// While running.
var (
	// ErrExited means that the child exited before it first served; the error around it carries the end of its log.
	ErrExited = errors.New("ZooKeeper exited before it served")
	// ErrStopped means that the server was stopped or killed before.
	ErrStopped = errors.New("ZooKeeper was stopped")
)

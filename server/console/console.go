package console

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/server/console/kube"
)

// Path is where the console is.
const Path = "/console/"

// Config is what the console shows, and by what it reads.
type Config struct {
	// Name is the member's, Version that of zkine, for people.
	Name, Version string
	// Store is the store as a client reaches it, or says why clients are not served yet.
	Store func() (Store, error)
	// Gatherer is where samples are taken from.
	Gatherer prometheus.Gatherer
	// Hosts are the names, besides localhost, under which it is served without TLS.
	Hosts []string
	// Stopping ends watches.
	Stopping <-chan struct{}
}

// Store is a store that serves clients.
type Store struct {
	// Conn is where calls are made that are a client's.
	Conn grpc.ClientConnInterface
	// MemberID is this member's.
	MemberID uint64
	// AuthEnabled says whether users count.
	AuthEnabled func() bool
}

// Door is what is particular to one URL.
type Door struct {
	// Closed says, for people, why no keys are read through this URL; empty if they are.
	Closed string
}

// Console serves the page and what it asks for.
type Console struct {
	cfg     Config
	assets  *assets
	decoder *kube.Decoder
	sampler *sampler
	guard   *guard
}

// New makes a console. Run has it take samples.
func New(cfg Config) *Console {
	return &Console{cfg: cfg, assets: loadAssets(), decoder: kube.NewDecoder(), sampler: newSampler(cfg.Gatherer), guard: newGuard(cfg)}
}

// Run takes samples until the server stops.
func (c *Console) Run() { c.sampler.run(c.cfg.Stopping) }

// Handler serves Path, and all below it.
func (c *Console) Handler(door Door) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, c.assets)
	get := func(name string, h handler) { mux.Handle("GET "+Path+"api/"+name, c.api(h)) }
	reads := func(name string, h handler) { get(name, door.open(h)) }
	get("about", c.about(door))
	mux.Handle("POST "+Path+"api/login", c.api(c.login))
	get("status", c.forUsers(c.status))
	get("samples", c.forUsers(c.samples))
	get("ensemble", c.ensemble)
	get("usage", c.usage)
	reads("keys", c.keys)
	reads("search", c.search)
	reads("value", c.value)
	reads("history", c.history)
	mux.Handle("GET "+Path+"api/watch", c.guard.watches(c.stream(door)))
	return c.guard.wrap(mux)
}

// open refuses what is read through a closed door.
func (d Door) open(h handler) handler {
	if d.Closed == "" {
		return h
	}
	return func(*http.Request, *caller) (any, error) { return nil, refusal{http.StatusForbidden, d.Closed} }
}

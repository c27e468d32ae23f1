package embedded

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
)

// Config says what to run. Only DataDir is needed.
type Config struct {
	// Distribution is what Find found; nil means Find with no options.
	Distribution *Distribution
	// DataDir is the folder that the server owns; it is made if missing, and may be relative.
	DataDir string
	// ClientPort is the loopback port to serve on. 0 means the port of the last start in this DataDir if it is
	// still free, and else a free one. A port that is asked for must be free.
	ClientPort int
	// Heap is the JVM's largest heap in bytes; 0 means DefaultHeap.
	Heap int64
	// MaxHeap is up to where the heap is raised when the server dies for want of it; less than Heap means never.
	MaxHeap int64
	// TickTime is ZooKeeper's unit of time; 0 means DefaultTickTime. Sessions last from two of them to
	// 40 s.
	TickTime time.Duration
	// SnapCount is the number of transactions between two snapshots; 0 means ZooKeeper's default, 100000.
	SnapCount int
	// JuteMaxBuffer bounds a request in bytes; 0 means ZooKeeper's default, 1048575.
	JuteMaxBuffer int
	// Open lets every user of the host in, to read and change everything: for tests. Else the server is closed to all
	// but who shows Server.Credential, as far as the ACLs of znodes go: those that were made without one are open.
	Open bool
	// Properties are further lines of zoo.cfg; they win over what zkine writes there.
	Properties map[string]string
	// JVMFlags are given to java after zkine's own.
	JVMFlags []string
	// AllProcessors lets the server run on all processors. It gets one otherwise, on Linux: see onOneProcessor.
	AllProcessors bool
	// Plain leaves out what is set for speed and for memory alone, but for the heap's bound: to compare with the
	// defaults of Java and ZooKeeper.
	Plain bool
	// LogFile takes what the server prints; "" means zookeeper.log in DataDir.
	LogFile string
	// Logger is told of starts, deaths and restarts; nil means logrus's standard logger.
	Logger logrus.FieldLogger
	// Ensemble makes the server a member of an ensemble, which must be open; nil means that it stands alone. For tests.
	Ensemble *Ensemble
	// Host is the address to serve on; "" means the loopback address. Any other is for tests in a network of their own.
	Host string
	// Enter, if set, is called on the thread that starts the child, which takes over what it does to the thread: a
	// test can put it into another network namespace.
	Enter func() error

	secret string // of a closed server, since Start
}

// Ensemble is one member's view of an ensemble.
type Ensemble struct {
	ID    int // this member's, from 1
	Peers []Peer
}

// Peer is a member of an ensemble.
type Peer struct {
	ID           int    // from 1
	Host         string // "" means the loopback address
	QuorumPort   int
	ElectionPort int
	Observer     bool // it has no vote
}

// Defaults of Config.
const (
	DefaultHeap     = 1 << 30
	DefaultTickTime = time.Second
)

// loopback is where everything listens unless a test says otherwise.
const loopback = "127.0.0.1"

func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, fmt.Errorf("embedded: no data folder given")
	}
	if c.Ensemble != nil && !c.Open {
		return c, fmt.Errorf("embedded: a member of an ensemble must be open: each would have a secret of its own")
	}
	var err error
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, err
	}
	if c.Distribution == nil {
		if c.Distribution, err = Find(FindOptions{}); err != nil {
			return c, err
		}
	}
	if c.Heap == 0 {
		c.Heap = DefaultHeap
	}
	if c.TickTime == 0 {
		c.TickTime = DefaultTickTime
	}
	if c.Host == "" {
		c.Host = loopback
	}
	if c.LogFile == "" {
		c.LogFile = c.path("zookeeper.log")
	}
	if c.Logger == nil {
		c.Logger = logrus.StandardLogger()
	}
	return c, nil
}

// ZooCfg is the path of the settings that the server in a data folder was started with last.
func ZooCfg(dataDir string) string { return Config{DataDir: dataDir}.path("zoo.cfg") }

func (c Config) path(name string) string { return filepath.Join(c.DataDir, name) }

// The servers print to their standard output, which Start captures. Debian's jars log through reload4j, Apache's
// through logback; each reads its own file.
const (
	log4jProperties = `log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %-5p [%t] %c{1}: %m%n
`
	logbackXML = `<configuration>
  <appender name="stdout" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5level [%thread] %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="stdout"/></root>
</configuration>
`
)

// write puts the files that the child reads into DataDir.
func (c Config) write() error {
	if err := os.MkdirAll(c.path("data"), 0o700); err != nil {
		return err
	}
	files := map[string]string{
		"zoo.cfg":          c.zooCfg(),
		"log4j.properties": log4jProperties,
		"logback.xml":      logbackXML,
	}
	if c.Ensemble != nil {
		files["data/myid"] = strconv.Itoa(c.Ensemble.ID) + "\n"
	}
	for name, content := range files {
		if err := os.WriteFile(c.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

package embedded

import (
	"hash/crc32"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// args are java's arguments. QuorumPeerMain serves a lone server too, and unlike ZooKeeperServerMain it purges.
func (c Config) args(heap int64) []string {
	args := []string{
		// A java that does not know one of the flags below is slower without it, and serves.
		"-XX:+IgnoreUnrecognizedVMOptions",
		"-Xmx" + strconv.FormatInt(heap>>10, 10) + "k",
		// A server that lost a thread to a full heap would linger half alive; dead, it is restarted.
		"-XX:+ExitOnOutOfMemoryError",
		// A core is all of the memory in the clear, where the system puts such files; a dump of the heap is, too.
		"-XX:-CreateCoredumpOnCrash",
		"-XX:-HeapDumpOnOutOfMemoryError",
		"-Djava.awt.headless=true",
		"-Dzookeeper.jmx.log4j.disable=true",
		"-Dlog4j.configuration=" + fileURL(c.path("log4j.properties")),
		"-Dlogback.configurationFile=" + fileURL(c.path("logback.xml")),
	}
	if !c.Plain {
		args = append(args, tuning...)
		args = append(args, "-XX:MaxNewSize="+strconv.FormatInt(min(heap>>3, maxYoung)>>10, 10)+"k")
	}
	if c.JuteMaxBuffer > 0 {
		args = append(args, "-Djute.maxbuffer="+strconv.Itoa(c.JuteMaxBuffer))
	}
	args = append(args, c.JVMFlags...)
	return append(args,
		"-cp", strings.Join(c.Distribution.ClassPath, string(os.PathListSeparator)),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", c.path("zoo.cfg"))
}

// tuning is how a java runs that serves zkines, whatever the size of its heap. docs/zookeeper-settings.md has what each
// flag was measured to be worth, deploy/zookeeper/java.env the same ones for an ensemble.
var tuning = []string{
	// A pause is short, since what lives is few, large arrays; and the concurrent collector's threads would take more
	// from zkine than they spare it.
	"-XX:+UseSerialGC",
	// Java begins with a 64th of the machine's memory, and fills it before it collects. From here the heap grows with
	// the data, up to its bound.
	"-Xms32m",
	"-XX:NewSize=12m",
	// Data lives in the old generation, which by default gets two thirds of the heap alone.
	"-XX:NewRatio=3",
	// The first touch of a page stops the collector that moves data there, and all of the server with it: it is for 2 MiB
	// at once in place of 4 KiB, where the system has such pages.
	"-XX:+UseTransparentHugePages",
	// Only the quick compiler: zkine sends few, large requests, and the thorough one would spend minutes, on the cores
	// that zkine runs on, for code that waits for the disk anyway.
	"-XX:TieredStopAtLevel=1",
	// The JVM's statistics file can stall it while a disk is busy, and no program reads it.
	"-XX:-UsePerfData",
}

// maxYoung is the largest young generation, in bytes. What is young is copied in a pause, and what a busy server makes
// lives as long as the last 500 transactions, so that more room there spares no work: 128 MiB took 100 to 140 MiB more
// memory, and no update was the quicker for it.
const maxYoung = 32 << 20

// environment is what java gets besides what zkine has: the C library's allocator keeps a pool for each thread
// otherwise, and a server has fifty.
var environment = []string{"MALLOC_ARENA_MAX=1"}

// begin starts a child; the calling thread has to be its goroutine's own.
func (c Config) begin(cmd *exec.Cmd) error {
	if c.AllProcessors || c.Plain {
		return cmd.Start()
	}
	return onOneProcessor(c.processor(), cmd.Start)
}

// processor counts the processors for onOneProcessor. Members of an ensemble on one machine get different ones, and so,
// as a rule, do servers that know nothing of each other.
func (c Config) processor() uint {
	if c.Ensemble != nil {
		return uint(c.Ensemble.ID)
	}
	host, _ := os.Hostname() // containers of one machine have the same folder, each
	return uint(crc32.ChecksumIEEE([]byte(host + c.DataDir)))
}

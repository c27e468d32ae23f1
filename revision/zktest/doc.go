// Package zktest is the test harness: a real ZooKeeper on the loopback interface, alone (Start, Shared) or as an
// ensemble (StartEnsemble), that can be killed, restarted and paused, and a Proxy that loses, holds and delays what
// goes between a client and a server, so that every outcome of an append can be had on purpose.
//
// A test binary whose tests use Shared or Root starts one server for all of them, and stops it in Main:
//
//	func TestMain(m *testing.M) { zktest.Main(m) }
//
// The ZooKeeper is the one in $ZKINE_ZOOKEEPER_DIR, or in .cache/zookeeper of a folder above the test's, where
// "make zookeeper" puts it; a test without one fails. Servers do not fsync unless WithFsync is given: a kill loses
// nothing then either, only a power cut would.
//
// Goroutines: those of package embedded; a Proxy's accept loop, and four for each of its connections, which end with
// the connection. All end in t.Cleanup.
//
// It imports package embedded and nothing else of zkine.
package zktest

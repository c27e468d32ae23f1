// Package zkclient keeps a ZooKeeper session up that can be relied on.
//
// An Ensemble dials (race.go says how a server is found, zkconn.go which traps
// of ZooKeeper's Go client are met and how). A Conn is one session over one
// connection, and is never resumed. A Session keeps one verified Conn up, and
// goes over to another server when one falls silent (failover.go). What
// ZooKeeper answers is judged by keepercode.go.
//
// It knows nothing of the log: its user says what verifies a connection, and
// which errors end a session.
//
// # Goroutines
//
// Session.Run keeps one connection up. Each verification, each dial and each
// connection that is being closed has a goroutine of the session's Group, for
// which Run waits. A Dial has one for each server's name, and one for each
// address that it asks; those that outlast it end soon, and closing the
// connection that it returned waits for them. The client's own end with the
// connection: Conn.Close waits for them, and so does every Dial that fails. A
// server that answers nothing delays that by a few seconds at most, since the
// socket is cut.
//
// It may import revision, throttle, fourletter, identity, transport and
// ZooKeeper's Go client; nothing else of zkine.
package zkclient

// Package doctor looks at a ZooKeeper ensemble and at the zkines on it, and says
// what is wrong, why that matters and what to do.
//
// Run goes through a table of checks (checks.go). Each is a function that gets a
// patient, which is what was asked of the servers at the beginning, and returns
// findings. A check that cannot look says so, with the reason, as a finding of its
// own: silence is never health.
//
// It changes nothing that lasts. What it writes is an ephemeral znode (scratch.go),
// which ZooKeeper itself removes if the doctor is killed, and it sends no request to
// ZooKeeper that a zkine would not send.
package doctor

// Package zksurvey measures what a root takes in ZooKeeper, part by part, without a
// zkine: how many znodes there are, and what they hold. It reads no data but the
// checkpoint record, and changes nothing.
//
// It may import revision, zkroot and ZooKeeper's Go client.
package zksurvey

// Package zkmember keeps this zkine in the list of members: an ephemeral znode
// of its name, put up again on each session.
//
// claimant.go decides whose a name is that two zkines want, holder.go keeps the
// znode and answers those that ask whether its zkine lives, alive.go asks. listed.go
// tells who the members are.
//
// # Goroutines
//
// One for each session on which this zkine is a member; it ends with the
// session, or with the context of New.
//
// It may import revision, zkclient, zkroot and throttle; nothing else of zkine.
package zkmember

// Package token knows the two kinds of tokens by which clients say who they are
// after they have logged in, as etcd's auth/simple_token.go and auth/jwt.go do.
//
// Simple tokens are random strings. They come into being in the log, so that
// every zkine knows them, and are kept in memory only: each zkine forgets one
// some time after it was last used there, and all when it ends.
//
// JSON web tokens are signed, and need no memory: a zkine that has the key can tell
// which user they stand for and until when. They name the auth revision at which
// they were made, and are not valid after it has changed.
//
// Passwords says who may have a password hashed, and when: what comes before a
// token.
//
// It imports no other package of zkine.
package token

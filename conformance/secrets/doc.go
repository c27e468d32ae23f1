// Package secrets plants secrets in a running zkine, wherever a client or an operator gives it one, and then looks for
// them in everything that it has written: its log at the level debug, the log of its ZooKeeper, its metrics, profiles
// and health checks, answers that are not for the one who had the secret, files, its command line and environment, and
// what a crash leaves behind.
//
// Secrets are values, passwords, tokens, keys of certificates and tokens, and what may hold one: malformed, refused and
// oversized requests. Each row of the tables shows that its secret got to where it was meant to go, and each place that
// is searched shows that it holds what it should, so that a test which finds nothing has looked.
//
// Names of keys are no secrets, but no line of the log has one: those about slow requests name the folder of the key.
//
//	marker_test.go    a secret, and the forms in which it is searched
//	site_test.go      the zkine under test, and its clients
//	plant_test.go     secrets in gRPC calls
//	plant_auth_test.go   passwords and tokens
//	plant_http_test.go   secrets in JSON, URLs, headers, websockets and garbage
//	places_test.go    where is looked
//	secrets_test.go   the test that does both
//	crash_test.go     what is left by a process that dies during a snapshot
//	credentials_test.go  what zkine shows to ZooKeeper
//	damage_test.go    what is said of znodes that cannot be trusted
//	flags_test.go     no flag takes a secret itself, and none is repeated that was given by mistake
package secrets

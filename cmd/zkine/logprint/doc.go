// Package logprint shows the records of zkine's log to people, and as JSON to
// programs.
//
// It shows keys and sizes. Values are shown only if that is asked for, and those of
// Kubernetes' Secrets never; neither are hashes of passwords, nor tokens.
package logprint

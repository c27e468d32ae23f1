// Package top is `zkine top`: who asks the members of a cluster for what, where they
// stand, and what their ensemble says, on a page of a terminal or once.
//
//	snapshot.go  what is known at a moment
//	gather.go    asking all members
//	merge.go     one report of all members'
//	view.go      what of it is looked at: order, page, pause
//	layout.go    the lines of a page, for any size
//	tables.go    the tables in it
//	number.go    numbers in few characters
//	page.go      the page on a terminal, and its keys
//
// # Goroutines
//
// Run's caller draws; one gathers, and waits for one per member that it asks.
//
// # Imports
//
// Packages observe and usage of the server, and the messages. Only page.go knows the
// library for terminals.
package top

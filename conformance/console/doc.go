// Package console looks at zkine's console as its users do: in a real Chromium, on a real zkine and ZooKeeper. `make
// console-test` gets what it needs and runs it, with -browser; without that its tests only say so.
//
//	harness_test.go     a zkine with keys, a browser, a page
//	fill_test.go        what the keys are
//	pages_test.go       each view in both themes and two sizes: pictures, and axe-core finds nothing
//	many_test.go        100,000 keys without stalling
//	hostile_test.go     markup in keys, values and names of clients stays text
//	keyboard_test.go    all of it without a mouse
//	login_test.go       users
//	states_test.go      nothing, large things, ZooKeeper or zkine away, a user who may read little
package console

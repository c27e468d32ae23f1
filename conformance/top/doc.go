// Package top holds what `zkine top` shows against what was done: a load with known numbers on real zkines, and the page
// in a pseudo-terminal whose screen an emulator draws.
//
//	once_test.go      zkine top --once: exact numbers, several members, users
//	page_test.go      the page: keys, sizes, colours, and the terminal afterwards
//	terminal_test.go  a terminal
package top

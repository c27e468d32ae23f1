package main

import "testing"

func seen(kind, name, version string) event {
	return event{Type: kind, Object: object{Metadata: metadata{Name: name, ResourceVersion: version}}}
}

func TestReflectorFindsFault(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []event
		fault  bool
	}{
		{"in order", []event{seen("ADDED", "a", "5"), seen("MODIFIED", "a", "6"), seen("BOOKMARK", "", "6"), seen("DELETED", "a", "9")}, false},
		{"backwards", []event{seen("ADDED", "a", "5"), seen("MODIFIED", "a", "4")}, true},
		{"repeated", []event{seen("ADDED", "a", "5"), seen("MODIFIED", "a", "5")}, true},
		{"added twice", []event{seen("ADDED", "a", "5"), seen("ADDED", "a", "6")}, true},
		{"modified before added", []event{seen("MODIFIED", "a", "5")}, true},
		{"deleted twice", []event{seen("ADDED", "a", "5"), seen("DELETED", "a", "6"), seen("DELETED", "a", "7")}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &reflector{objects: map[string]object{}, version: "1"}
			for _, e := range c.events {
				r.apply(e)
			}
			if _, err := r.snapshot(); (err != nil) != c.fault {
				t.Errorf("fault: %v", err)
			}
		})
	}
}

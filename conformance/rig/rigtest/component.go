package rigtest

import (
	"context"
	"sync"
	"testing"

	"github.com/zkine/zkine/conformance/rig"
)

// Component is the path of a program of conformance/components, which is built if that was not done already.
func Component(t testing.TB, name string) string {
	t.Helper()
	once, _ := components.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
		defer cancel()
		if err := rig.BuildComponents(ctx, name); err != nil {
			return "", err
		}
		return rig.Component(name)
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// components holds what builds a program once, by its name.
var components sync.Map

package backend

import "github.com/zkine/zkine/backend/state"

// View is the published view, for tests that compare whole states.
func (b *Backend) View() *state.View { return b.view.Load() }

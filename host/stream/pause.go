package stream

// Pause stops processing and punctuation on all threads, restoring and standbys (KIP-834). The threads stay members of the group
// and keep their tasks; what was processed is committed. A record that is being processed is finished, and so is what was read
// of a changelog.
func (a *App) Pause() { a.paused.Store(true) }

// Resume ends a pause.
func (a *App) Resume() { a.paused.Store(false) }

// IsPaused tells whether the application is paused.
func (a *App) IsPaused() bool { return a.paused.Load() }

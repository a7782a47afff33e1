package stream

// Pause stops processing and punctuation on all threads (KIP-834). They stay members of the group and keep their tasks,
// whose stores are restored meanwhile; what was processed is committed. A record that is being processed is finished.
func (a *App) Pause() { a.paused.Store(true) }

// Resume ends a pause.
func (a *App) Resume() { a.paused.Store(false) }

// IsPaused tells whether the application is paused.
func (a *App) IsPaused() bool { return a.paused.Load() }

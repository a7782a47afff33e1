package stream

// mutation is a bug that builds with the tag "mutants" can be given, to prove that the tests of exactly-once see it.
// In other builds mutant is false for all of them, and the compiler leaves their code out.
type mutation string

const (
	// inputLast commits the input offsets after the transaction.
	inputLast mutation = "input-last"
	// endIgnored takes every transaction for committed.
	endIgnored mutation = "end-ignored"
	// polledOffsets commits what was fetched, not what was processed.
	polledOffsets mutation = "polled-offsets"
	// uncommittedRestored restores transactions that were aborted; uncommittedRead reads them as input.
	uncommittedRestored mutation = "uncommitted-restored"
	uncommittedRead     mutation = "uncommitted-read"
	// earlyRun lets a task run before its stores are restored.
	earlyRun mutation = "early-run"
	// standbyEarly lets a task run on the stores of its standby before they have what was logged since.
	standbyEarly mutation = "standby-early"
	// generationUnchecked commits offsets without saying as which member of which generation.
	generationUnchecked mutation = "generation-unchecked"
	// lostRejoin does not join once more after a static member has come back.
	lostRejoin mutation = "lost-rejoin"
)

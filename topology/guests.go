package topology

// GuestUse says which component of which module a node calls, and how.
type GuestUse struct {
	Ref GuestRef `json:"ref"`
	// Kind is the component kind that the node needs, as manifests spell it: filter, map, mapValues, flatMap,
	// flatMapValues, selectKey, foreach, process, processValues.
	Kind string `json:"kind"`
	// Config is what the user gave for the component (`config.<key>` when it is opened). Borrowed, read only.
	Config map[string]string `json:"config,omitempty"`
}

// GuestUser is a ProcessorSupplier that calls guests.
type GuestUser interface {
	GuestUses() []GuestUse
}

// Guests lists what the nodes of t use of wasm modules, by node name, so that modules can be checked before anything
// runs.
func (t *Topology) Guests() map[string][]GuestUse {
	uses := map[string][]GuestUse{}
	for _, n := range t.nodes {
		if len(n.Guests) > 0 {
			uses[n.Name] = n.Guests
		}
	}
	return uses
}

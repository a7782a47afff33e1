package vectors

// family computes what is expected of a vector.
type family func(v vector) (any, error)

// families by the beginning of the ids of their vectors.
func families() map[string]family {
	return map[string]family{
		"change-":           change,
		"fk-combined-":      combinedKey,
		"fk-response-":      subscriptionResponse,
		"fk-subscription-":  subscription,
		"headers-value-":    headersValue,
		"murmur3-":          murmur3,
		"offset-metadata-":  offsetMetadata,
		"partition-":        partition,
		"session-key-":      sessionKey,
		"task-":             taskIDs,
		"timestamped-value": timestampedValue,
		"topology-":         describedTopology,
		"window-key-":       windowKey,
		"windows-for-":      windowsFor,
	}
}

package errs

import (
	"slices"
	"strings"
)

// Nearest returns the candidate that name was most likely meant to be, or "" when none is near: at most a third of
// the letters differ (insertions, deletions, replacements, swaps of neighbours), and at least one may.
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// DidYouMean is the remedy for an unknown name: `did you mean "x"?`, or what is there when nothing is near.
func DidYouMean(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return `did you mean "` + n + `"?`
	}
	if len(candidates) == 0 || len(candidates) > 40 {
		return "check the spelling"
	}
	sorted := slices.Sorted(slices.Values(candidates))
	return "one of " + strings.Join(sorted, ", ")
}

// distance is the optimal string alignment distance of a and b.
func distance(a, b string) int {
	before, last, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(last[j]+1, cur[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, last, cur = last, cur, before
	}
	return last[len(b)]
}

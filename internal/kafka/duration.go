package kafka

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var isoDuration = regexp.MustCompile(`^([-+]?)P(?:([-+]?\d+)D)?(?:T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+(?:\.\d{1,9})?)S)?)?$`)

// ParseISODuration reads what Java's Duration.parse reads (PnDTnHnMn.nS), and Go's form (36h) too.
func ParseISODuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s[len(s)-1] == 'P' || s[len(s)-1] == 'T' {
		return 0, fmt.Errorf("want a duration such as PT1H30M or 1h30m")
	}
	var total float64
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+2] == "" {
			continue
		}
		n, err := strconv.ParseFloat(m[i+2], 64)
		if err != nil {
			return 0, fmt.Errorf("want a duration such as PT1H30M or 1h30m")
		}
		total += n * float64(unit)
	}
	if m[1] == "-" {
		total = -total
	}
	if total > 1<<62 || total < -(1<<62) {
		return 0, fmt.Errorf("want a duration of less than 146 years")
	}
	return time.Duration(total), nil
}

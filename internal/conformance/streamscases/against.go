package streamscases

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Oracle returns a case with what Kafka Streams makes of it.
type Oracle func(line []byte) (answered []byte, err error)

// Difference is a case in which Kafka Streams and this program differ, with as few inputs as it takes.
type Difference struct {
	ID string
	// Case is the line with Kafka's results.
	Case []byte
	// Err says what differs.
	Err error
}

// Against runs a case on both and returns the difference, or nil, and the line with Kafka's results. The error is
// the oracle's.
func Against(ask Oracle, line []byte) (d *Difference, answered []byte, err error) {
	answered, err = ask(line)
	if err != nil {
		return nil, nil, err
	}
	id, differs := Run(answered)
	if differs == nil {
		return nil, answered, nil
	}
	d = &Difference{ID: id, Case: answered, Err: differs}
	return d, answered, d.shrink(ask)
}

// shrink takes inputs away, half of them at first and single ones at last, as long as there is a difference.
func (d *Difference) shrink(ask Oracle) error {
	var c testCase
	if err := json.Unmarshal(d.Case, &c); err != nil {
		return fmt.Errorf("reading case %s: %w", d.ID, err)
	}
	for size := max(1, len(c.Inputs)/2); size > 0; size /= 2 {
		for at := 0; at < len(c.Inputs); {
			without := c
			without.Inputs = slices.Delete(slices.Clone(c.Inputs), at, min(at+size, len(c.Inputs)))
			same, err := d.narrow(ask, &without)
			if err != nil {
				return err
			}
			if same {
				c.Inputs = without.Inputs
			} else {
				at += size
			}
		}
	}
	return nil
}

// narrow keeps a case that differs too.
func (d *Difference) narrow(ask Oracle, c *testCase) (differs bool, err error) {
	line, err := json.Marshal(c)
	if err != nil {
		return false, err
	}
	answered, err := ask(line)
	if err != nil {
		return false, err
	}
	if _, err := Run(answered); err != nil {
		d.Case, d.Err = answered, err
		return true, nil
	}
	return false, nil
}

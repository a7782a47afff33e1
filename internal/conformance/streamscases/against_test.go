package streamscases

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestADifferenceShrinks: an oracle that forgets one key leaves the one record of it.
func TestADifferenceShrinks(t *testing.T) {
	forgetful := func(line []byte) ([]byte, error) {
		var c testCase
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, err
		}
		c.Expected = nil
		got, _, err := c.run()
		if err != nil {
			return nil, err
		}
		for _, o := range got {
			if !strings.Contains(*o.Key, "c") {
				c.Expected = append(c.Expected, o)
			}
		}
		return json.Marshal(c)
	}
	line := []byte(`{"id":"a","topology":"stream-reduce","spec":{"topic":"left","reduce":""},"inputs":[` +
		strings.Repeat(`{"topic":"left","key":"a","value":"1","ts":1},{"topic":"left","key":"b","value":"2","ts":2},`, 10) +
		`{"topic":"left","key":"c","value":"3","ts":3},{"topic":"left","key":"a","value":"4","ts":4}],"expected":[]}`)
	d, _, err := Against(forgetful, line)
	if err != nil || d == nil {
		t.Fatalf("no difference: %v", err)
	}
	var c testCase
	if err := json.Unmarshal(d.Case, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Inputs) != 1 || *c.Inputs[0].Key != "c" {
		t.Errorf("the smallest case has the inputs %+v", c.Inputs)
	}
}

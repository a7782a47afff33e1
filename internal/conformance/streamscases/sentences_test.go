package streamscases

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestSentences: what functions do is read from the case, whatever stands between the quotes and whatever topics are called.
func TestSentences(t *testing.T) {
	const inputs = `[{"topic":"one","key":"k","value":"x-1","ts":0},{"topic":"two","key":"k","value":"y-2","ts":1},{"topic":"one","key":"k","value":"x-3","ts":2}]`
	for spec, want := range map[string]string{
		`stream-reduce {"topic":"one","reduce":"agg + ' then ' + value"}`:                                                                                                                                                                `k=x-1 k=x-1 then x-3`,
		`stream-stream-join {"left_topic":"one","right_topic":"two","join":"left","before_ms":0,"after_ms":5,"joiner":"left '/' right"}`:                                                                                                 `k=x-1/y-2`,
		`time-window-aggregate {"topic":"one","size_ms":10,"aggregate":"initial '>' then agg + ', ' + value"}`:                                                                                                                           `[k@0/10]=>, x-1 [k@0/10]=>, x-1, x-3`,
		`session-window-aggregate {"topic":"one","inactivity_gap_ms":1,"session_merger":"agg1 + '&' + agg2","aggregate":"initial '' then agg + '' + value"}`:                                                                             `[k@0/0]=x-1 [k@2/2]=x-3`,
		`cogroup {"topics":"one,two","aggregate":"initial '0' ; one: agg + '1' + value ; two: agg + '2' + value"}`:                                                                                                                       `k=01x-1 k=01x-12y-2 k=01x-12y-21x-3`,
		`table-groupby-aggregate {"topic":"one","group_key":"the value's part before '-'","aggregate":"initial '0' ; adder agg + ' and ' + value ; subtractor agg + ' not ' + value"}`:                                                   `x=0 and x-1 x=0 and x-1 not x-1 and x-3`,
		`table-filter-tostream {"topic":"one","filter":"value ends with '3'","source_materialised":true}`:                                                                                                                                `k=x-3`,
		`stream-globaltable-join {"stream_topic":"two","global_table_topic":"one","join":"left","key_mapper":"the stream value's part before '-' (null for a null value)","joiner":"stream '|' table"}`:                                  `k=y-2|null`,
		`foreign-key-join {"left_topic":"one","right_topic":"two","join":"left","foreign_key":"the left value's part before '-'; 'x' means a null foreign key","joiner":"left '!' right"}`:                                               `k=x-1!null k=x-3!null`,
		`stream-stream-join-of-join {"topics":"one,two","topology":"(two outerJoin one) innerJoin one, same window","time_difference_ms":5,"joiner":"left '.' right"}`:                                                                   `k=y-2.x-1.x-1 k=y-2.x-3.x-1 k=y-2.x-1.x-3 k=y-2.x-3.x-3`,
		`stream-totable-join {"left_topic":"one","right_topic":"two","topology":"one.toTable() outerJoin two.toTable(); null value deletes","joiner":"left '~' right"}`:                                                                  `k=x-1~null k=x-1~y-2 k=x-3~y-2`,
		`table-table-join-groupby {"left_topic":"one","right_topic":"two","topology":"left join (joiner left ':' right), then groupBy(result's part before '-'), aggregate adder agg '*' value, subtractor agg '/' value, initial 'i'"}`: `x=i*x-1:null x=i*x-1:null/x-1:null*x-1:y-2 x=i*x-1:null/x-1:null*x-1:y-2/x-1:y-2*x-3:y-2`,
	} {
		family, parameters, _ := strings.Cut(spec, " ")
		c := testCase{ID: family, Topology: family, Spec: json.RawMessage(parameters)}
		if err := json.Unmarshal([]byte(inputs), &c.Inputs); err != nil {
			t.Fatal(err)
		}
		c.Inputs = slices.DeleteFunc(c.Inputs, func(in input) bool { return !strings.Contains(parameters, in.Topic) })
		outputs, _, err := c.run()
		if err != nil {
			t.Errorf("%s: %v", family, err)
			continue
		}
		var got []string
		for _, o := range outputs {
			got = append(got, *o.Key+"="+textOr(bytesOf(o.Value)))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s:\n got %s\nwant %s", family, text, want)
		}
	}
}

package apptest

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// edit puts lines in the place of those from first to last, from 1; last < first inserts before first.
type edit struct {
	first, last int
	lines       []string
}

// edits write what came where it differs from what was expected: a topic or store that has lines of its own alone, else
// the whole section. A case that expects nothing gets all that came.
func (r *caseRunner) edits(result CaseResult) ([]edit, error) {
	if result.Passed {
		if len(r.c.Sections) == 0 && r.c.Error == nil {
			return []edit{r.fill()}, nil
		}
		return nil, nil
	}
	var all []edit
	for _, s := range []struct {
		key     string
		content []expected
	}{{"output", r.outputs}, {"store", r.stores}} {
		e, err := r.sectionEdits(s.key, s.content)
		if err != nil {
			return nil, err
		}
		all = append(all, e...)
	}
	if x := r.deadLetters; x != nil && x.differs {
		span := r.c.Sections["dlq"]
		if !span.Own {
			return nil, r.notOwn(x.Where)
		}
		all = append(all, edit{span.First, span.Last, r.listLines("dlq", span.Column, x)})
	}
	return all, nil
}

func (r *caseRunner) notOwn(where string) error {
	return r.file.Fault(errs.CaseUpdate, where, "what came cannot be written here", "")
}

func (r *caseRunner) sectionEdits(key string, content []expected) ([]edit, error) {
	var all []edit
	alone := true
	for i := range content {
		x := &content[i]
		if !x.differs {
			continue
		}
		alone = alone && x.Span.Own
		all = append(all, edit{x.Span.First, x.Span.Last, r.listLines(x.Name, x.Span.Column, x)})
	}
	if alone || len(all) == 0 {
		return all, nil
	}
	span := r.c.Sections[key]
	if !span.Own {
		return nil, r.notOwn(content[0].Where)
	}
	lines := []string{strings.Repeat(" ", span.Column-1) + key + ":"}
	for i := range content {
		lines = append(lines, r.listLines(content[i].Name, span.Column+2, &content[i])...)
	}
	return []edit{{span.First, span.Last, lines}}, nil
}

// listLines are a key with the records that came, the key at a column.
func (r *caseRunner) listLines(key string, column int, x *expected) []string {
	indent := strings.Repeat(" ", column-1)
	head := indent + keyOf(key) + ":"
	if len(x.got) == 0 {
		return []string{head + " []"}
	}
	lines := []string{head}
	for i := range x.got {
		lines = append(lines, indent+"  - "+r.flowRecord(x, &x.got[i]))
	}
	return lines
}

// fill makes expectations of all that came to topics that users read, for a case that has none.
func (r *caseRunner) fill() edit {
	column := r.c.Column
	lines := []string{strings.Repeat(" ", column-1) + "output:"}
	for _, topic := range r.driver.ProducedTopicNames() {
		if !r.names.isSink(topic) {
			continue
		}
		x := &expected{Expectation: spec.Expectation{Name: topic}, serdes: r.names.serdes(topic), got: r.driver.ReadOutputs(topic)}
		lines = append(lines, r.listLines(topic, column+2, x)...)
	}
	if len(lines) == 1 {
		lines[0] += " {}"
	}
	return edit{r.c.End, r.c.End - 1, lines}
}

// rewrite changes the lines of a file.
func rewrite(path string, edits []edit) error {
	if len(edits) == 0 {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(b.first, a.first) })
	for _, e := range edits {
		lines = slices.Replace(lines, e.first-1, max(e.last, e.first-1), e.lines...)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), info.Mode().Perm()); err != nil {
		return errs.ConfigFile.New(path, "the file cannot be written", "").WithCause(errs.WithoutPath(err))
	}
	return nil
}

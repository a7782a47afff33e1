package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/wasmstream/wasmstream/internal/errs"
)

type kind int

const (
	null kind = iota
	scalar
	mapping
	sequence
)

// value is a node of the document with its place. Aliases are followed already.
type value struct {
	kind    kind
	line    int
	col     int    // in characters, from 1
	text    string // of a scalar
	quote   int    // characters before the text of a quoted scalar
	block   bool   // the text begins on the next line (| and >)
	plain   bool   // not quoted: true is a bool, 1 a number
	broken  bool   // a reference in it leads nowhere, which is told
	entries []entry
	items   []*value
}

// entry is a pair of a mapping.
type entry struct {
	key       string
	line, col int
	value     *value
}

// get returns the value of key, or nil.
func (v *value) get(key string) *value {
	if v == nil {
		return nil
	}
	for _, e := range v.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// item is the i-th value of a list; a single value stands for a list of itself.
func (v *value) item(i int) *value {
	if i < len(v.items) {
		return v.items[i]
	}
	return v
}

// last is the last line of v. It holds for documents with a line for each value.
func (v *value) last() int {
	line := v.line
	for _, e := range v.entries {
		line = max(line, e.value.last())
	}
	for _, item := range v.items {
		line = max(line, item.last())
	}
	return line
}

func (v *value) kindName() string {
	switch v.kind {
	case scalar:
		return "a single value"
	case mapping:
		return "a mapping"
	case sequence:
		return "a list"
	}
	return "nothing"
}

// source is the text of a document and the faults found in it.
type source struct {
	name   string
	lines  []string
	faults []error
	text   int // bytes that aliases and references brought
	// unnumbered excerpts come from a text whose lines nobody knows.
	unnumbered bool
	// while the tree is made:
	anchors map[string]ast.Node
	aliases int // that are being followed
	values  int
}

// parse reads YAML or JSON. Faults of the syntax end it; doubled keys do not.
func (s *source) parse(data []byte) *value {
	s.lines = strings.Split(string(data[:min(len(data), maxBytes)]), "\n")
	if !s.bounded(data) {
		return nil
	}
	if !utf8.Valid(data) {
		s.fault(errs.YAMLSyntax, 1, 1, "the file is not UTF-8 text", "")
		return nil
	}
	file, err := parseSafely(untab(data))
	if err != nil {
		s.syntax(err)
		return nil
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	switch len(docs) {
	case 0:
		s.fault(errs.YAMLInvalid, 1, 1, "the document is empty", "begin with apiVersion: "+APIVersion)
		return nil
	case 1:
	default:
		t := docs[1].GetToken()
		s.fault(errs.YAMLInvalid, t.Position.Line, t.Position.Column, "a second document begins here", "give each application a file of its own")
	}
	s.anchors = map[string]ast.Node{}
	return s.convert(docs[0], 0)
}

// parseSafely makes an error of a panic of the parser: a library's fault on odd input must not end a process.
func parseSafely(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser gave up: %v", r)
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// untab makes blanks of the tabs that indent JSON; YAML forbids them.
func untab(data []byte) []byte {
	if trimmed := strings.TrimLeft(string(data), " \t\r\n"); !strings.HasPrefix(trimmed, "{") {
		return data
	}
	out := append([]byte{}, data...)
	indent := true
	for i, c := range out {
		switch {
		case c == '\n':
			indent = true
		case c == '\t' && indent:
			out[i] = ' '
		case c != ' ':
			indent = false
		}
	}
	return out
}

func (s *source) syntax(err error) {
	var syntax yaml.Error
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		p := syntax.GetToken().Position
		s.fault(errs.YAMLSyntax, p.Line, p.Column, syntax.GetMessage(), "")
		return
	}
	s.fault(errs.YAMLSyntax, 1, 1, strings.SplitN(err.Error(), "\n", 2)[0], "")
}

func (s *source) convert(n ast.Node, depth int) *value {
	s.values++
	v := at(n)
	if depth > maxDepth || s.values > maxValues {
		if s.values <= maxValues || s.values == maxValues+1 {
			s.limit(v.line, v.col, fmt.Sprintf("the document nests more than %d deep, or has more than %d values", maxDepth, maxValues))
		}
		return v
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		s.anchors[n.Name.GetToken().Value] = n.Value
		return s.convert(n.Value, depth+1)
	case *ast.AliasNode:
		target := s.anchors[n.Value.GetToken().Value]
		if target == nil {
			s.fault(errs.YAMLInvalid, v.line, v.col, "the alias *"+n.Value.GetToken().Value+" has no anchor before it", "mark what it stands for with &"+n.Value.GetToken().Value+", before this line")
			return v
		}
		s.aliases++
		defer func() { s.aliases-- }()
		return s.convert(target, depth+1)
	case *ast.TagNode:
		return s.convert(n.Value, depth+1)
	case *ast.MappingNode:
		v.kind = mapping
		keys := map[string]bool{}
		for _, pair := range n.Values {
			s.pair(v, keys, pair, depth)
		}
	case *ast.MappingValueNode:
		v.kind = mapping
		s.pair(v, map[string]bool{}, n, depth)
	case *ast.SequenceNode:
		v.kind = sequence
		for _, item := range n.Values {
			v.items = append(v.items, s.convert(item, depth+1))
		}
	case *ast.LiteralNode:
		v.kind, v.text, v.block = scalar, n.Value.Value, true
	case *ast.NullNode, nil:
	case ast.ScalarNode:
		scalarOf(v, n.GetToken())
	}
	if s.aliases > 0 && !s.unfold(v, len(v.text)) {
		v.text = ""
	}
	return v
}

func scalarOf(v *value, t *token.Token) {
	v.kind, v.text = scalar, t.Value
	switch t.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		v.quote = 1
	default:
		v.plain = true
	}
}

func at(n ast.Node) *value {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return &value{line: 1, col: 1}
	}
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			n = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = m.Key
	}
	p := n.GetToken().Position
	return &value{line: p.Line, col: p.Column}
}

// pair adds an entry to v, whose keys so far are in keys. A merge key (<<) adds those of a mapping that are not there yet.
func (s *source) pair(v *value, keys map[string]bool, n *ast.MappingValueNode, depth int) {
	p := n.Key.GetToken().Position
	val := s.convert(n.Value, depth+1)
	if n.Key.IsMergeKey() {
		for _, e := range val.entries {
			if !keys[e.key] {
				keys[e.key] = true
				v.entries = append(v.entries, e)
			}
		}
		return
	}
	key := n.Key.GetToken().Value
	if keys[key] {
		s.fault(errs.YAMLDuplicateKey, p.Line, p.Column, fmt.Sprintf("the key %q occurs twice", key), "")
		return
	}
	keys[key] = true
	v.entries = append(v.entries, entry{key: key, line: p.Line, col: p.Column, value: val})
}

// where is "file:line:col".
func (s *source) where(line, col int) string { return fmt.Sprintf("%s:%d:%d", s.name, line, col) }

// place is the line and column that where wrote, or 0 and 0.
func (s *source) place(where string) (line, col int) {
	if n, err := fmt.Sscanf(strings.TrimPrefix(where, s.name), ":%d:%d", &line, &col); n != 2 || err != nil {
		return 0, 0
	}
	return line, col
}

// sorted are the faults from the top of the document to its end, as many as a person reads.
func (s *source) sorted() []error {
	type placed struct {
		err       error
		line, col int
	}
	all := make([]placed, len(s.faults))
	for i, err := range s.faults {
		all[i].err = err
		var coded *errs.Error
		if errors.As(err, &coded) {
			all[i].line, all[i].col = s.place(coded.Where)
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Or(a.line-b.line, a.col-b.col) })
	var first []error
	for _, f := range all[:min(len(all), maxFaults)] {
		first = append(first, f.err)
	}
	if left := len(all) - len(first); left > 0 {
		first = append(first, errs.YAMLLimit.New(s.name, fmt.Sprintf("%d more faults are not listed", left), "correct these first"))
	}
	return first
}

// many tells whether so many faults were found that finding more is not worth much work.
func (s *source) many() bool { return len(s.faults) > 10*maxFaults }

// excerpt is the line with a caret below the column. What cannot be printed is replaced: it could be a command to the
// terminal.
func (s *source) excerpt(line, col int) string {
	if line < 1 || line > len(s.lines) {
		return ""
	}
	const width = 160
	chars := []rune(strings.TrimRight(s.lines[line-1], "\r"))
	start := 0
	if len(chars) > width && col > width/2 {
		start = max(min(col-width/2, len(chars)-width), 0)
	}
	chars = chars[start:min(len(chars), start+width)]
	for i, r := range chars {
		if r != '\t' && !unicode.IsPrint(r) {
			chars[i] = unicode.ReplacementChar
		}
	}
	var under strings.Builder
	for i := range max(0, col-1-start) {
		if i < len(chars) && chars[i] == '\t' {
			under.WriteByte('\t')
		} else {
			under.WriteByte(' ')
		}
	}
	number := fmt.Sprintf("%4d | ", line)
	if s.unnumbered {
		number = "     | "
	}
	return number + string(chars) + "\n" + strings.Repeat(" ", len(number)-2) + "| " + under.String() + "^"
}

func (s *source) fault(code errs.Code, line, col int, what, fix string) {
	fault := code.New(s.where(line, col), what, fix)
	if code.ID != errs.TopologyDuplicateName.ID && code.ID != errs.TopologyStoreClash.ID {
		fault = fault.InKafka("") // a rule of documents, not of Kafka's builder
	}
	if !s.many() {
		fault = fault.WithDetail(s.excerpt(line, col))
	}
	s.faults = append(s.faults, fault)
}

func (s *source) faultAt(code errs.Code, v *value, what, fix string) {
	s.fault(code, v.line, v.col, what, fix)
}

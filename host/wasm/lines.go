package wasm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"path"
)

// lines are the line tables that a compiler left in a module (-g): DWARF 2 to 5, of 32 bits. They are read when a guest
// has trapped, from one end to the other, and come of the guest like all else: what is damaged is passed over, and neither a table's
// length nor its strings may cost the host more than lineSteps and a few names.
type lines struct {
	table, strings, lineStrings []byte
}

const (
	// lineSteps is how many bytes of line tables the frames of one trap may have read, all together. It is some
	// hundredths of a second; frames for which nothing is left have no lines.
	lineSteps = 8 << 20
	// maxLineName is the length of the longest name of a folder or file that is taken.
	maxLineName = 1 << 10
	// lineUnitSteps are those of a unit's header.
	lineUnitSteps = 32
)

// readLines copies the sections that find needs.
func readLines(m *module) lines {
	var l lines
	for _, c := range m.customs {
		body := m.bytes[c.body.start:c.body.end]
		switch c.name {
		case ".debug_line":
			l.table = append(l.table, body...)
		case ".debug_str":
			l.strings = append(l.strings, body...)
		case ".debug_line_str":
			l.lineStrings = append(l.lineStrings, body...)
		}
	}
	if l.table == nil {
		return lines{}
	}
	return l
}

// lineRow is a row of a line table: what begins at address comes of this place.
type lineRow struct {
	address            uint64
	file, line, column uint32
}

// lineUnit is one unit of the line table: its header, then a program that makes rows.
type lineUnit struct {
	l        *lines
	r        reader // the program
	steps    *int   // what is left of lineSteps
	version  uint16
	step     uint64 // length of the shortest instruction
	base     int8
	span     byte
	opcodes  byte // the first special one
	operands []byte
	files    int // where the tables of folders and files begin
}

// find is "file.c:12:3" for an address, an offset in the code section; "" if no table tells, or not within steps, from
// which it takes what it used.
func (l *lines) find(address uint64, steps *int) string {
	for at := 0; len(l.table)-at > 4 && *steps > 0; {
		size := int64(binary.LittleEndian.Uint32(l.table[at:]))
		at += 4
		if size > int64(len(l.table)-at) {
			return ""
		}
		unit := lineUnit{l: l, r: reader{b: l.table, pos: at, end: at + int(size)}, steps: steps}
		at += int(size)
		unit.spend(lineUnitSteps)
		if !unit.header() {
			continue
		}
		if row, ok := unit.run(address); ok {
			return unit.place(row)
		}
	}
	return ""
}

func (r *reader) fixed16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) fixed32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// skipText passes over a string that ends with a zero.
func (r *reader) skipText() {
	n := bytes.IndexByte(r.b[r.pos:r.end], 0)
	if n < 0 {
		r.fail("a text without an end")
		return
	}
	r.pos += n + 1
}

func (u *lineUnit) spend(steps int) { *u.steps -= steps }

// goOn tells whether there are steps left, and nothing was damaged.
func (u *lineUnit) goOn(r *reader) bool { return *u.steps > 0 && r.bad == "" }

func (u *lineUnit) header() bool {
	r := &u.r
	u.version = r.fixed16()
	if u.version < 2 || u.version > 5 {
		return false
	}
	if u.version == 5 {
		r.skip(2) // sizes of addresses and segments
	}
	size := r.fixed32()
	program := int64(r.pos) + int64(size)
	if r.bad != "" || program > int64(r.end) {
		return false
	}
	u.step = uint64(r.byte())
	if u.version >= 4 {
		r.skip(1) // operations of an instruction
	}
	r.skip(1) // whether rows are statements
	u.base, u.span, u.opcodes = int8(r.byte()), r.byte(), r.byte()
	u.operands = r.bytes(max(int(u.opcodes)-1, 0))
	u.files = r.pos
	if r.bad != "" || u.span == 0 {
		return false
	}
	r.pos = int(program)
	return true
}

// Instructions of a line program.
const (
	lineExtended    = 0
	lineCopy        = 1
	lineAdvance     = 2
	lineAdvanceLine = 3
	lineSetFile     = 4
	lineSetColumn   = 5
	lineConstAdd    = 8
	lineFixedAdd    = 9

	lineEndSequence = 1
	lineSetAddress  = 2
)

// run makes rows until one is behind address: then the row before it is the place. A sequence that begins at 0 or at
// the very end is of a function that the linker threw away.
func (u *lineUnit) run(address uint64) (found lineRow, ok bool) {
	r := &u.r
	row, last := lineRow{file: 1, line: 1}, lineRow{}
	begun := false
	for r.left() > 0 && u.goOn(r) {
		began := r.pos
		emitted, ended := u.instruction(r.byte(), &row)
		u.spend(r.pos - began)
		if !emitted {
			continue
		}
		if begun && last.address <= address && address < row.address && last.address > 0 {
			return last, true
		}
		last, begun = row, !ended
		if ended {
			row = lineRow{file: 1, line: 1}
		}
	}
	return lineRow{}, false
}

// instruction runs one instruction and tells whether it made a row, and whether that ends the sequence.
func (u *lineUnit) instruction(op byte, row *lineRow) (emitted, ended bool) {
	r := &u.r
	switch {
	case op >= u.opcodes:
		special := op - u.opcodes
		row.address += u.step * uint64(special/u.span)
		row.line += uint32(int32(u.base) + int32(special%u.span))
		return true, false
	case op == lineExtended:
		return u.extended(row)
	case op == lineCopy:
		return true, false
	case op == lineAdvance:
		row.address += u.step * uint64(r.u32())
	case op == lineAdvanceLine:
		row.line += uint32(r.signed(64))
	case op == lineSetFile:
		row.file = r.u32()
	case op == lineSetColumn:
		row.column = r.u32()
	case op == lineConstAdd:
		row.address += u.step * uint64((255-u.opcodes)/u.span)
	case op == lineFixedAdd:
		row.address += uint64(r.fixed16())
	default:
		for range u.operands[op-1] {
			r.signed(64)
		}
	}
	return false, false
}

func (u *lineUnit) extended(row *lineRow) (emitted, ended bool) {
	r := &u.r
	size := r.count(r.left(), "bytes of an instruction")
	body := reader{b: r.b, pos: r.pos, end: r.pos + size}
	r.skip(size)
	if r.bad != "" || size == 0 {
		return false, false
	}
	switch body.byte() {
	case lineEndSequence:
		return true, true
	case lineSetAddress:
		row.address = uint64(body.fixed32())
	}
	return false, false
}

// place reads the name of the row's file.
func (u *lineUnit) place(row lineRow) string {
	r := reader{b: u.r.b, pos: u.files, end: u.r.end}
	name := ""
	if u.version == 5 {
		name = u.file5(&r, row.file)
	} else {
		name = u.file4(&r, row.file)
	}
	if name == "" || r.bad != "" || *u.steps <= 0 {
		return ""
	}
	name = fmt.Sprintf("%s:%d", shown(name), row.line)
	if row.column > 0 {
		name = fmt.Sprintf("%s:%d", name, row.column)
	}
	return name
}

// lineText is where a string begins that may be wanted.
type lineText struct {
	b  []byte
	at int64
}

// read copies the string, "" if it does not end within maxLineName bytes.
func (t lineText) read() string {
	rest := t.b[min(t.at, int64(len(t.b))):]
	rest = rest[:min(len(rest), maxLineName+1)]
	if n := bytes.IndexByte(rest, 0); n >= 0 {
		return string(rest[:n])
	}
	return ""
}

// inFolder is the path of a file, "" if it has no name.
func inFolder(folder, name string) string {
	if folder == "" || name == "" {
		return name
	}
	return path.Join(folder, name)
}

// file4 finds a file in the tables before DWARF 5: folders, then files, counted from 1. Folder 0 is where the compiler
// ran. The folders are passed over until it is known which one is wanted.
func (u *lineUnit) file4(r *reader, index uint32) string {
	folders := *r
	for u.text4(r) {
	}
	for i := uint32(1); u.goOn(r); i++ {
		name := lineText{r.b, int64(r.pos)}
		if !u.text4(r) {
			return ""
		}
		began := r.pos
		folder := r.u32()
		r.u32()
		r.u32()
		u.spend(r.pos - began)
		if i == index && r.bad == "" {
			return inFolder(u.folder4(&folders, folder), name.read())
		}
	}
	return ""
}

// text4 passes over a string and tells whether it holds anything: an empty one ends a table.
func (u *lineUnit) text4(r *reader) bool {
	began := r.pos
	r.skipText()
	u.spend(r.pos - began)
	return u.goOn(r) && r.pos-began > 1
}

func (u *lineUnit) folder4(r *reader, index uint32) string {
	for i := uint32(1); i <= index; i++ {
		text := lineText{r.b, int64(r.pos)}
		if !u.text4(r) {
			return ""
		}
		if i == index {
			return text.read()
		}
	}
	return ""
}

// lineEntry is a folder or a file of DWARF 5.
type lineEntry struct {
	path   lineText
	folder uint32
}

// file5 finds a file in the tables of DWARF 5: the same entry format for folders and files, counted from 0. The folders
// are passed over until it is known which one is wanted.
func (u *lineUnit) file5(r *reader, index uint32) string {
	folders := *r
	u.entry(r, math.MaxUint32)
	file, ok := u.entry(r, index)
	if !ok {
		return ""
	}
	var folder lineEntry
	if file.folder > 0 { // folder 0 is where the compiler ran
		folder, _ = u.entry(&folders, file.folder)
	}
	return inFolder(folder.path.read(), file.path.read())
}

// entry reads a table of DWARF 5 up to the entry with an index, or to its end if it has no such entry.
func (u *lineUnit) entry(r *reader, index uint32) (found lineEntry, ok bool) {
	const contentPath, contentFolder = 1, 2
	type field struct{ content, form uint32 }
	format := make([]field, r.byte())
	for i := range format {
		format[i] = field{r.u32(), r.u32()}
	}
	count := r.u32()
	if len(format) == 0 {
		return lineEntry{}, false
	}
	for i := uint32(0); i < count && u.goOn(r); i++ {
		began, entry := r.pos, lineEntry{}
		for _, f := range format {
			text, number := u.form(r, f.form)
			switch f.content {
			case contentPath:
				entry.path = text
			case contentFolder:
				entry.folder = number
			}
		}
		u.spend(r.pos - began)
		if i == index && r.bad == "" {
			return entry, true
		}
	}
	return lineEntry{}, false
}

// form passes over one value in the forms that line tables use: what it says, or where its string begins.
func (u *lineUnit) form(r *reader, form uint32) (text lineText, number uint32) {
	const data1, data2, data4, data8, data16, block, str, strp, udata, lineStrp = 0x0b, 0x05, 0x06, 0x07, 0x1e, 0x09, 0x08, 0x0e, 0x0f, 0x1f
	switch form {
	case str:
		text = lineText{r.b, int64(r.pos)}
		r.skipText()
		return text, 0
	case lineStrp:
		return lineText{u.l.lineStrings, int64(r.fixed32())}, 0
	case strp:
		return lineText{u.l.strings, int64(r.fixed32())}, 0
	case udata:
		return text, r.u32()
	case data1:
		return text, uint32(r.byte())
	case data2:
		return text, uint32(r.fixed16())
	case data4:
		return text, r.fixed32()
	case data8:
		r.skip(8)
	case data16:
		r.skip(16)
	case block:
		r.skip(r.count(r.left(), "bytes of a block"))
	default:
		r.fail("a form that is not known")
	}
	return text, 0
}

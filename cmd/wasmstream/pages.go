package main

import (
	"bytes"
	"strconv"
)

// mapping is a range of addresses of the process.
type mapping struct{ from, to uintptr }

// untouchedMappings are the parts of program in smaps (the text of /proc/self/smaps) that can only be read and hold nothing but
// what the file has: what is dropped of them comes back from the file. A part that was written to before it was closed
// for writing, as relocations are, or where a debugger has set a breakpoint, is none.
func untouchedMappings(smaps []byte, program string) (found []mapping) {
	var at mapping
	wanted := false
	for line := range bytes.Lines(smaps) {
		words := bytes.Fields(line)
		switch {
		case len(words) >= 5 && bytes.IndexByte(words[0], '-') > 0:
			var ok bool
			at, ok = parseMapping(words[0])
			wanted = ok && bytes.HasPrefix(words[1], []byte("r-")) && len(words) > 5 && string(bytes.Join(words[5:], []byte(" "))) == program
		case wanted && len(words) > 1 && string(words[0]) == "Anonymous:":
			if string(words[1]) == "0" {
				found = append(found, at)
			}
			wanted = false
		}
	}
	return found
}

// parseMapping reads two addresses in hexadecimal with a hyphen between them.
func parseMapping(word []byte) (m mapping, ok bool) {
	from, to, _ := bytes.Cut(word, []byte("-"))
	a, errA := strconv.ParseUint(string(from), 16, strconv.IntSize)
	b, errB := strconv.ParseUint(string(to), 16, strconv.IntSize)
	return mapping{uintptr(a), uintptr(b)}, errA == nil && errB == nil && a < b
}

package main

// lower holds the current line in lower case; it is used again for the next one.
var lower []byte

// split calls emit with each word of line: ASCII letters in lower case, all other bytes as they are, cut at blanks as
// Java's String.split(" ") does. Words between two blanks are empty, empty words at the end are left out, an empty
// line is one empty word, and a line that is null or only blanks has none.
func split(line []byte, emit func(word []byte)) {
	if line == nil {
		return
	}
	end := len(line)
	for end > 0 && line[end-1] == ' ' {
		end--
	}
	if end == 0 {
		if len(line) == 0 {
			emit(line)
		}
		return
	}
	if cap(lower) < end {
		lower = make([]byte, end+end/2)
	}
	line, low := line[:end], lower[:end]
	start := 0
	for i, c := range line {
		if c == ' ' {
			emit(low[start:i])
			start = i + 1
			continue
		}
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	emit(low[start:])
}

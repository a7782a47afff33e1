package json

// Bytes is the document with all that was set and removed since Parse. Without changes it is the document itself,
// else it is valid until the next call of Bytes. An edit inside of a value that another one replaces or removes has no
// effect.
func (d *Doc) Bytes() ([]byte, error) {
	if !d.edited {
		return d.data, nil
	}
	out, err := d.Append(d.out[:0])
	if err == nil {
		d.out = out
	}
	return out, err
}

// Append appends what Bytes returns to dst.
func (d *Doc) Append(dst []byte) ([]byte, error) {
	if !d.edited {
		return append(dst, d.data...), nil
	}
	order, err := d.sorted()
	if err != nil {
		return nil, err
	}
	w := writer{doc: d, out: dst, grown: none}
	for _, f := range order {
		switch s := &d.spans[f]; {
		case s.kind == Missing:
			w.add(f, s)
		case s.start < w.done && s.value < w.done:
			// inside of what another edit has replaced
		case d.edits[f].op == set:
			w.replace(f, s)
		default:
			w.remove(s)
		}
	}
	return append(w.out, d.data[w.done:]...), nil
}

// sorted lists the fields with something to do in the order of their places: where the member begins, or the end of
// the object that it is added to.
func (d *Doc) sorted() ([]Field, error) {
	order, places := d.order[:0], d.places[:0]
	for f := range d.edits {
		op := d.edits[f].op
		if op == leave {
			continue
		}
		s := &d.spans[f]
		place := s.start
		if s.kind == Missing {
			if op == remove {
				continue
			}
			if s.parentKind != Object {
				return nil, ErrNoParent
			}
			place = s.parentEnd
		}
		at := len(order)
		order, places = order[:at+1], places[:at+1]
		for ; at > 0 && place < places[at-1]; at-- {
			order[at], places[at] = order[at-1], places[at-1]
		}
		order[at], places[at] = Field(f), place
	}
	return order, nil
}

// writer writes the document once, from edit to edit.
type writer struct {
	doc   *Doc
	out   []byte
	done  int // up to where the document is written or dropped
	grown int // the object that got a member last
}

// upTo writes the document up to i.
func (w *writer) upTo(i int) { w.out = append(w.out, w.doc.data[w.done:i]...) }

func (w *writer) text(f Field) {
	e := w.doc.edits[f]
	w.out = append(w.out, w.doc.texts[e.from:e.to]...)
}

// add writes a new member at the end of its object.
func (w *writer) add(f Field, s *span) {
	if s.parentEnd < w.done {
		return
	}
	w.upTo(s.parentEnd)
	w.done = s.parentEnd
	if w.grown == s.parent || w.doc.others(s) {
		w.out = append(w.out, ',')
	}
	w.grown = s.parent
	w.out = append(w.out, w.doc.names[f]...)
	w.text(f)
}

// others tells whether members of the object stay that an added one must be set apart from by a comma.
func (d *Doc) others(added *span) bool {
	left := added.siblings
	for f := range d.spans {
		if s := &d.spans[f]; d.edits[f].op == remove && s.kind != Missing && s.parent == added.parent {
			left--
		}
	}
	return left > 0
}

func (w *writer) replace(f Field, s *span) {
	w.upTo(s.value)
	w.text(f)
	w.done = s.end
}

// remove drops a member with the comma before it, or the one behind it if all before it is gone.
func (w *writer) remove(s *span) {
	if s.comma >= w.done {
		w.upTo(s.comma)
		w.done = s.end
		return
	}
	w.upTo(s.start)
	w.done = s.end
	if i := skipSpace(w.doc.data, s.end); i < len(w.doc.data) && w.doc.data[i] == ',' {
		w.done = i + 1
	}
}

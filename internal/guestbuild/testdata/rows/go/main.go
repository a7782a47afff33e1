// A guest that does with stores of windows, sessions, versions and timestamps what it is told, for tests. A record's value
// is a command: words separated by one blank, "-" is null; the answer is a record with the same key and what came of it as
// value. The same guest exists in each language.
package main

import (
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

func init() {
	wasmstream.Module("rows", "1.0.0")
	wasmstream.Process("rows", func() wasmstream.Processor { return new(rows) },
		wasmstream.Wants(wasmstream.Key, wasmstream.Value), wasmstream.Stores("windows", "stamped", "sessions", "versions", "latest"))
}

func main() {}

type rows struct {
	windows, stamped *wasmstream.WindowStore
	sessions         *wasmstream.SessionStore
	versions         *wasmstream.VersionedKeyValueStore
	latest           *wasmstream.TimestampedKeyValueStore

	args     []string
	backward bool
	text     strings.Builder
}

// Init opens the stores.
func (s *rows) Init(ctx *wasmstream.Context) (err error) {
	if s.windows, err = ctx.WindowStore("windows"); err != nil {
		return err
	}
	if s.stamped, err = ctx.TimestampedWindowStore("stamped"); err != nil {
		return err
	}
	if s.sessions, err = ctx.SessionStore("sessions"); err != nil {
		return err
	}
	if s.versions, err = ctx.VersionedKeyValueStore("versions"); err != nil {
		return err
	}
	s.latest, err = ctx.TimestampedKeyValueStore("latest")
	return err
}

// Close has nothing to do.
func (s *rows) Close() error { return nil }

// word is the next word of the command, nil for null.
func (s *rows) word() []byte {
	w := ""
	if len(s.args) > 0 {
		w, s.args = s.args[0], s.args[1:]
	}
	if w == "-" {
		return nil
	}
	return []byte(w)
}

func (s *rows) number() int64 {
	n, _ := strconv.ParseInt(string(s.word()), 10, 64)
	return n
}

func (s *rows) add(parts ...any) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			s.text.WriteString(p)
		case int64:
			s.text.WriteString(strconv.FormatInt(p, 10))
		case []byte:
			if p == nil {
				p = []byte("(null)")
			}
			s.text.Write(p)
		}
	}
}

// Process does what the record says.
func (s *rows) Process(ctx *wasmstream.Context, rec *wasmstream.Record) error {
	s.args = strings.Split(string(rec.Value), " ")
	s.text.Reset()
	if s.backward = s.args[0] == "backward"; s.backward {
		s.args = s.args[1:]
	}
	var err error
	switch name := string(s.word()); {
	case strings.HasPrefix(name, "window."), strings.HasPrefix(name, "stamped."):
		err = s.onWindows(name)
	case strings.HasPrefix(name, "session."):
		err = s.onSessions(name)
	default:
		err = s.onVersions(name)
	}
	if err != nil {
		return err
	}
	ctx.Forward(&wasmstream.Record{Key: rec.Key, Value: []byte(s.text.String()), Timestamp: rec.Timestamp})
	return nil
}

func (s *rows) onWindows(name string) error {
	switch name {
	case "window.put":
		key, start := s.word(), s.number()
		return s.windows.Put(key, s.word(), start)
	case "window.fetch":
		value, err := s.windows.Fetch(s.word(), s.number())
		s.add(value)
		return err
	case "window.range":
		key, from, to := s.word(), s.number(), s.number()
		if s.backward {
			return s.list(s.windows.BackwardFetchRange(key, from, to))
		}
		return s.list(s.windows.FetchRange(key, from, to))
	case "window.keys":
		keyFrom, keyTo, from, to := s.word(), s.word(), s.number(), s.number()
		if s.backward {
			return s.list(s.windows.BackwardFetchKeys(keyFrom, keyTo, from, to))
		}
		return s.list(s.windows.FetchKeys(keyFrom, keyTo, from, to))
	case "window.all":
		return s.all(s.windows)
	case "stamped.put":
		key, start, value := s.word(), s.number(), s.word()
		return s.stamped.PutTimestamped(key, value, start, s.number())
	case "stamped.fetch":
		value, timestamp, err := s.stamped.FetchTimestamped(s.word(), s.number())
		if value != nil {
			s.add(timestamp, "=")
		}
		s.add(value)
		return err
	case "stamped.all":
		return s.all(s.stamped)
	}
	s.add("?")
	return nil
}

func (s *rows) all(store *wasmstream.WindowStore) error {
	from, to := s.number(), s.number()
	if s.backward {
		return s.list(store.BackwardFetchAll(from, to))
	}
	return s.list(store.FetchAll(from, to))
}

func (s *rows) list(it *wasmstream.WindowIterator, err error) error {
	if err != nil {
		return err
	}
	for it.Next() {
		s.add(" ", it.Key(), "@", it.Start())
		if it.Timestamp() >= 0 {
			s.add("!", it.Timestamp())
		}
		s.add("=", it.Value())
	}
	if err := it.Err(); err != nil {
		return err
	}
	return it.Close()
}

func (s *rows) onSessions(name string) error {
	switch name {
	case "session.put":
		key, start, end := s.word(), s.number(), s.number()
		return s.sessions.Put(key, start, end, s.word())
	case "session.remove":
		return s.sessions.Remove(s.word(), s.number(), s.number())
	case "session.fetch":
		value, err := s.sessions.FetchSession(s.word(), s.number(), s.number())
		s.add(value)
		return err
	case "session.find":
		key, end, start := s.word(), s.number(), s.number()
		if s.backward {
			return s.listSessions(s.sessions.BackwardFindSessions(key, end, start))
		}
		return s.listSessions(s.sessions.FindSessions(key, end, start))
	case "session.keys":
		keyFrom, keyTo, end, start := s.word(), s.word(), s.number(), s.number()
		if s.backward {
			return s.listSessions(s.sessions.BackwardFindSessionsOfKeys(keyFrom, keyTo, end, start))
		}
		return s.listSessions(s.sessions.FindSessionsOfKeys(keyFrom, keyTo, end, start))
	}
	s.add("?")
	return nil
}

func (s *rows) listSessions(it *wasmstream.SessionIterator, err error) error {
	if err != nil {
		return err
	}
	for it.Next() {
		s.add(" ", it.Key(), "@", it.Start(), "-", it.End(), "=", it.Value())
	}
	if err := it.Err(); err != nil {
		return err
	}
	return it.Close()
}

func (s *rows) onVersions(name string) error {
	switch name {
	case "version.put":
		key, value := s.word(), s.word()
		validTo, err := s.versions.Put(key, value, s.number())
		s.add(validTo)
		return err
	case "version.delete":
		return s.version(s.versions.Delete(s.word(), s.number()))
	case "version.get":
		return s.version(s.versions.Get(s.word()))
	case "version.asof":
		return s.version(s.versions.GetAsOf(s.word(), s.number()))
	case "version.range":
		key, from, to := s.word(), s.number(), s.number()
		if s.backward {
			return s.listVersions(s.versions.ReverseRange(key, from, to))
		}
		return s.listVersions(s.versions.Range(key, from, to))
	case "latest.put":
		key, value := s.word(), s.word()
		return s.latest.Put(key, value, s.number())
	case "latest.get":
		value, timestamp, err := s.latest.Get(s.word())
		if value != nil {
			s.add(timestamp, "=")
		}
		s.add(value)
		return err
	}
	s.add("?")
	return nil
}

func (s *rows) version(v wasmstream.Version, ok bool, err error) error {
	if ok {
		s.add(" @", v.Timestamp, "-", v.ValidTo, "=", v.Value)
	}
	return err
}

func (s *rows) listVersions(it *wasmstream.VersionIterator, err error) error {
	if err != nil {
		return err
	}
	for it.Next() {
		_ = s.version(it.Version(), true, nil)
	}
	if err := it.Err(); err != nil {
		return err
	}
	return it.Close()
}

package topology

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestJavaUTF8 compares with what new String(bytes, UTF_8).getBytes(UTF_8) gave in Java 17.
func TestJavaUTF8(t *testing.T) {
	f, err := os.Open("testdata/java_utf8.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		from, to, _ := strings.Cut(lines.Text(), " ")
		in, err1 := hex.DecodeString(from)
		want, err2 := hex.DecodeString(to)
		if err1 != nil || err2 != nil {
			t.Fatalf("line %d cannot be read", n+1)
		}
		if got, err := String.Deserialize(in); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x: got %x, Java gives %x (%v)", in, got, want, err)
		}
	}
	if n == 0 {
		t.Error("no cases")
	}
}

func TestUUID(t *testing.T) {
	for in, want := range map[string]string{
		"123e4567-e89b-12d3-a456-426614174000": "123e4567-e89b-12d3-a456-426614174000",
		"123E4567-E89B-12D3-A456-42661417400F": "123e4567-e89b-12d3-a456-42661417400f",
		"+1-2-3-4-5":                           "00000001-0002-0003-0004-000000000005",
		"1-2-3-4-5":                            "00000001-0002-0003-0004-000000000005",
		"fffffffff-1-1-1-1":                    "ffffffff-0001-0001-0001-000000000001",
		"0-0-0-0-0123456789abcd":               "00000000-0000-0000-0000-23456789abcd",
		"7fffffffffffffff-1-1-1-1":             "ffffffff-0001-0001-0001-000000000001",
	} {
		if got, err := UUID.Deserialize([]byte(in)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; Java gives %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "1-1-1-1", "1-1-1-1-1-1", "1--1-1-1", "8000000000000000-1-1-1-1", "g-1-1-1-1",
		"123e4567-e89b-12d3-a456-4266141740000", "123e4567e89b12d3a456426614174000abcd",
	} {
		if got, err := UUID.Deserialize([]byte(in)); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func TestSerdeFaults(t *testing.T) {
	for _, c := range []struct {
		serde Serde
		data  []byte
		want  string
	}{
		{Long, make([]byte, 7), "Size of data received by LongDeserializer is not 8"},
		{Long, []byte{}, "Size of data received by LongDeserializer is not 8"},
		{Integer, make([]byte, 8), "Size of data received by IntegerDeserializer is not 4"},
		{Short, make([]byte, 1), "Size of data received by ShortDeserializer is not 2"},
		{Float, make([]byte, 8), "Size of data received by Deserializer is not 4"},
		{Double, make([]byte, 4), "Size of data received by Deserializer is not 8"},
		{Boolean, make([]byte, 2), "Size of data received by BooleanDeserializer is not 1"},
		{Boolean, []byte{2}, "Unexpected byte received by BooleanDeserializer: 2"},
		{UUID, []byte("x"), "Error parsing data into UUID"},
		{JSON, []byte("{"), "the data is not valid JSON"},
	} {
		if _, err := c.serde.Deserialize(c.data); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s of %x: got %v, want %s", c.serde.Name(), c.data, err, c.want)
		}
	}
}

func TestSerdeByName(t *testing.T) {
	for _, name := range SerdeNames() {
		if s, err := SerdeByName(name); err != nil || s.Name() != name {
			t.Errorf("SerdeByName(%q) = %v, %v", name, s, err)
		}
	}
	for name, want := range map[string]Serde{
		"org.apache.kafka.common.serialization.Serdes$StringSerde":    String,
		"org.apache.kafka.common.serialization.Serdes$ByteArraySerde": Bytes,
		"org.apache.kafka.common.serialization.Serdes$IntegerSerde":   Integer,
		"org.apache.kafka.common.serialization.LongDeserializer":      Long,
		"org.apache.kafka.common.serialization.StringSerializer":      String,
		"Serdes.Long()": Long, "Serdes.String()": String, "Serdes.ByteArray()": Bytes, "Serdes.UUID()": UUID,
		"StringSerde": String, "DoubleSerde": Double, "BytesSerde": Bytes, "INT": Integer,
	} {
		if got, err := SerdeByName(name); err != nil || got != want {
			t.Errorf("SerdeByName(%q) = %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "strin", "Serde", "Deserializer", "com.acme.MySerde"} {
		if s, err := SerdeByName(name); !errs.ConfigInvalid.Is(err) {
			t.Errorf("SerdeByName(%q) = %v, %v; want %s", name, s, err, errs.ConfigInvalid.ID)
		}
	}
}

// TestNullAndValidStay: null stays null, and valid data is the same slice, without an allocation.
func TestNullAndValidStay(t *testing.T) {
	valid := map[Serde][]byte{
		Bytes: {0xff, 0}, String: []byte("grün 한국어"), Long: make([]byte, 8), Integer: make([]byte, 4), Short: make([]byte, 2),
		Float: make([]byte, 4), Double: make([]byte, 8), Boolean: {1}, UUID: []byte("123e4567-e89b-12d3-a456-426614174000"), JSON: []byte(`{"a": 1}`),
	}
	for s, data := range valid {
		if got, err := s.Deserialize(nil); got != nil || err != nil {
			t.Errorf("%s of null: %x, %v", s.Name(), got, err)
		}
		allocs := testing.AllocsPerRun(100, func() {
			if got, err := s.Deserialize(data); err != nil || &got[0] != &data[0] {
				t.Errorf("%s: %x, %v", s.Name(), got, err)
			}
		})
		if allocs > 0 {
			t.Errorf("%s: %v allocations for valid data", s.Name(), allocs)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		serde      Serde
		text, data string
	}{
		{Long, "-2", "fffffffffffffffe"},
		{Integer, "258", "00000102"},
		{Short, "-1", "ffff"},
		{Double, "1.5", "3ff8000000000000"},
		{Double, "2.0", "4000000000000000"},
		{Float, "-0.5", "bf000000"},
		{Boolean, "true", "01"},
		{Boolean, "false", "00"},
		{String, "grün", "6772c3bc6e"},
		{String, "", ""},
		{Bytes, "text", "74657874"},
		{Bytes, "base64:/wA=", "ff00"},
		{JSON, `{"a": 1}`, "7b2261223a20317d"},
		{UUID, "00000001-0002-0003-0004-000000000005", hex.EncodeToString([]byte("00000001-0002-0003-0004-000000000005"))},
	} {
		data, err := ParseText(c.serde, c.text)
		if err != nil || data == nil || hex.EncodeToString(data) != c.data {
			t.Errorf("ParseText(%s, %q) = %x, %v; want %s", c.serde.Name(), c.text, data, err, c.data)
		}
		if text, err := AppendText(nil, c.serde, data); err != nil || string(text) != c.text {
			t.Errorf("AppendText(%s, %x) = %q, %v; want %q", c.serde.Name(), data, text, err, c.text)
		}
	}
	for s, text := range map[Serde]string{Long: "x", Integer: "2147483648", Short: "1.0", Double: "one", Boolean: "maybe", Bytes: "base64:!", JSON: "{", UUID: "u"} {
		if data, err := ParseText(s, text); !errs.RecordFormat.Is(err) {
			t.Errorf("ParseText(%s, %q) = %x, %v; want %s", s.Name(), text, data, err, errs.RecordFormat.ID)
		}
	}
	if text, err := AppendText(nil, Long, nil); err != nil || string(text) != "null" {
		t.Errorf("AppendText of null = %q, %v", text, err)
	}
	var coded *errs.Error
	if _, err := AppendText(nil, Long, []byte("abc")); !errors.As(err, &coded) || coded.Cause == nil {
		t.Errorf("AppendText of a long of three bytes: %v", err)
	}
}

// TestDeserializeTwice: what a serde gives is valid for it, and stays as it is.
func TestDeserializeTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		for _, name := range SerdeNames() {
			s, err := SerdeByName(name)
			if err != nil {
				t.Fatal(err)
			}
			once, err := s.Deserialize(data)
			if err != nil {
				continue
			}
			if twice, err := s.Deserialize(once); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%s of %x: %x, then %x, %v", name, data, once, twice, err)
			}
		}
	})
}

func FuzzSerdes(f *testing.F) {
	f.Add([]byte("123e4567-e89b-12d3-a456-426614174000"))
	f.Add([]byte{0xed, 0xa0, 0x80, 0xf4, 0x90})
	f.Add([]byte(`{"a":[1,2.5e3]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, name := range SerdeNames() {
			if s, err := SerdeByName(name); err == nil {
				_, _ = AppendText(nil, s, data)
				_, _ = ParseText(s, string(data))
			}
		}
	})
}

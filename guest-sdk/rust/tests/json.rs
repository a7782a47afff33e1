//! Fields of JSON, by example and against random damage.

use wasmstream::json::{Kind, MAX_NESTING, NoParent, Query, push_float};

const ORDER: &[u8] =
    r#" { "id" : 17, "customer": {"name": "J\u00fcrgen \"J\" M\/", "tags": ["a", {"deep": true}, null]},
    "amount":-12.50,"big":1e400, "paid" :false,"note":null , "a.b": 1, "id": 18, "": "empty key" } "#
        .as_bytes();

#[test]
fn get() {
    let mut q = Query::new();
    let [id, name, deep, amount] = ["id", "customer.name", "customer.tags.1.deep", "amount"].map(|p| q.field(p));
    let [paid, note, missing, empty, big, beyond, tags] =
        ["paid", "note", "customer.city", "", "big", "customer.tags.3", "customer.tags"].map(|p| q.field(p));
    let dotted = q.field_at(&["a.b"]);
    assert_eq!(q.field("id"), id);
    let doc = q.parse(ORDER).unwrap();
    let kinds = [id, name, deep, amount, paid, note, missing, empty, big, beyond, tags, dotted].map(|f| doc.kind(f));
    assert_eq!(
        kinds,
        [
            Kind::Number,
            Kind::String,
            Kind::Bool,
            Kind::Number,
            Kind::Bool,
            Kind::Null,
            Kind::Missing,
            Kind::String,
            Kind::Number,
            Kind::Missing,
            Kind::Array,
            Kind::Number,
        ]
    );
    assert_eq!((doc.int(id), doc.int(amount), doc.int(name)), (Some(17), None, None));
    assert_eq!((doc.float(amount), doc.float(big), doc.float(id)), (Some(-12.5), Some(f64::INFINITY), Some(17.0)));
    assert_eq!((doc.bool(deep), doc.bool(paid), doc.bool(id)), (Some(true), Some(false), None));
    let mut text = Vec::new();
    assert!(doc.text(name, &mut text) && !doc.text(id, &mut text));
    assert_eq!(text, "Jürgen \"J\" M/".as_bytes());
    assert!(doc.is(name, "Jürgen \"J\" M/") && !doc.is(name, "Jürgen") && !doc.is(id, "17"));
    assert_eq!(doc.raw(tags), Some(&br#"["a", {"deep": true}, null]"#[..]));
    assert_eq!(doc.raw(missing), None);
    assert!(doc.is_object());
}

/// Does edits of the form "path=value" (set) and "path-" (remove).
fn apply(data: &str, edits: &str) -> Result<String, NoParent> {
    let mut q = Query::new();
    let steps: Vec<_> = edits
        .split_whitespace()
        .map(|e| {
            let (path, value) = e.split_once('=').map_or((e.trim_end_matches('-'), None), |(p, v)| (p, Some(v)));
            (q.field(path), value)
        })
        .collect();
    let mut doc = q.parse(data.as_bytes()).unwrap();
    for (f, value) in steps {
        match value {
            Some(v) => doc.set_raw(f, v.as_bytes()),
            None => doc.remove(f),
        }
    }
    let mut out = Vec::new();
    doc.write(&mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn edit() {
    for (doc, edits, want) in [
        (r#"{"a":1}"#, "", r#"{"a":1}"#),
        (r#"{"a":1}"#, "a=2", r#"{"a":2}"#),
        (r#"{"a":1}"#, "b=2", r#"{"a":1,"b":2}"#),
        (r#"{}"#, "b=2 c=3", r#"{"b":2,"c":3}"#),
        (r#"{ }"#, "b=2", r#"{ "b":2}"#),
        (r#" {"a":{}} "#, "a.b=2", r#" {"a":{"b":2}} "#),
        (r#"{"a":1,"b":2,"c":3}"#, "a-", r#"{"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "b-", r#"{"a":1,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "c-", r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "a- b-", r#"{"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "b- c-", r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "c- a-", r#"{"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "a- b- c-", r#"{}"#),
        (r#"{"a":1,"b":2}"#, "a- b- c=3", r#"{"c":3}"#),
        (r#"{"a":1,"b":2}"#, "b- c=3 a=0", r#"{"a":0,"c":3}"#),
        (r#"{"a" : 1 , "b" : 2}"#, "a-", r#"{ "b" : 2}"#),
        (r#"{"a" : 1 , "b" : 2}"#, "b-", r#"{"a" : 1 }"#),
        (r#"{"a":[1,2,3]}"#, "a.0- a.2-", r#"{"a":[2]}"#),
        (r#"{"a":[1,2,3]}"#, "a.1=[]", r#"{"a":[1,[],3]}"#),
        (r#"{"a":{"b":1},"c":2}"#, "a=0 a.b=5 a.d=6 c-", r#"{"a":0}"#),
        (r#"{"a":{"b":1},"c":2}"#, "a- a.b=5 a.d=6", r#"{"c":2}"#),
        (r#"{"a":{"b":1},"c":2}"#, "a.d=6 e=7 a.b-", r#"{"a":{"d":6},"c":2,"e":7}"#),
        (r#"{"a":1,"a":2}"#, "a=3", r#"{"a":3,"a":2}"#),
        (r#"{"\u0061":1}"#, "a=3", r#"{"\u0061":3}"#),
        (r#"{"a":1}"#, "x- a.b-", r#"{"a":1}"#),
        (r#"[{"a":1},{"a":2}]"#, "1.a=5", r#"[{"a":1},{"a":5}]"#),
    ] {
        assert_eq!(apply(doc, edits).as_deref(), Ok(want), "{doc} with {edits}");
    }
    for (doc, edits) in [(r#"{"a":1}"#, "a.b=1"), ("{}", "a.b=1"), ("[1]", "1=1"), ("1", "a=1")] {
        assert_eq!(apply(doc, edits), Err(NoParent), "{doc} with {edits}");
    }
}

#[test]
fn set_kinds() {
    let mut q = Query::new();
    let a = q.field("a");
    let mut check = |set: &dyn Fn(&mut wasmstream::json::Document<'_>), want: &str| {
        let mut doc = q.parse(br#"{"a":0}"#).unwrap();
        set(&mut doc);
        let mut out = Vec::new();
        doc.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), want);
    };
    check(&|d| d.set_text(a, b"\"\\\x08\x0c\n\r\t\x00\x1f\xc3\xa9\xff"), r#"{"a":"\"\\\b\f\n\r\t\u0000\u001Fé�"}"#);
    check(&|d| d.set_int(a, i64::MIN), r#"{"a":-9223372036854775808}"#);
    check(&|d| d.set_float(a, 0.1), r#"{"a":0.1}"#);
    check(&|d| d.set_bool(a, true), r#"{"a":true}"#);
    check(&|d| d.set_null(a), r#"{"a":null}"#);
    check(
        &|d| {
            d.set_int(a, 1);
            d.set_int(a, 2)
        },
        r#"{"a":2}"#,
    );
    check(
        &|d| {
            d.set_int(a, 1);
            d.remove(a)
        },
        "{}",
    );
}

#[test]
fn not_json() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let too_deep = deep(MAX_NESTING + 1);
    let bad: [&[u8]; 40] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"[",
        b"]",
        br#"{"a"}"#,
        br#"{"a":}"#,
        br#"{"a":1,}"#,
        b"{,}",
        b"[1,]",
        b"[,]",
        br#"{"a":1]"#,
        b"[1}",
        b"1 2",
        b"{} x",
        b"{a:1}",
        br#"{"a" 1}"#,
        b"\"",
        b"\"a",
        b"\"\\",
        br#""\x""#,
        br#""\u12""#,
        br#""\u12g4""#,
        b"\"\x01\"",
        b"\"\xff\"",
        b"\"\xed\xa0\x80\"",
        b"tru",
        b"falsee",
        b"-",
        b"01",
        b"1.",
        b".1",
        b"1e",
        b"1e+",
        b"+1",
        b"--1",
        b"NaN",
        b"\"12345678\n\"",
        too_deep.as_bytes(),
    ];
    for doc in bad {
        let mut q = Query::new();
        q.field("a");
        let err = q.parse(doc).err();
        assert!(err.is_some_and(|e| e.0 <= doc.len()), "{:?}: {err:?}", String::from_utf8_lossy(doc));
    }
    assert!(Query::new().parse(deep(MAX_NESTING).as_bytes()).is_ok());
}

#[test]
fn floats() {
    for (x, want) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.0, "-1.0"),
        (0.1, "0.1"),
        (100.0, "100.0"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12345678.5, "1.23456785E7"),
        (0.001, "0.001"),
        (0.00123, "0.00123"),
        (0.0001, "1.0E-4"),
        (1.5e-10, "1.5E-10"),
        (1e21, "1.0E21"),
        (f64::MAX, "1.7976931348623157E308"),
        (1.0 / 3.0, "0.3333333333333333"),
        (2.0 / 3.0 * 1e6, "666666.6666666666"),
        (1189.99, "1189.99"),
        (f64::INFINITY, "null"),
        (f64::NAN, "null"),
    ] {
        let mut out = Vec::new();
        push_float(&mut out, x);
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}

/// A small generator of random numbers (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

#[test]
fn floats_read_back() {
    let mut rng = Rng(3);
    for _ in 0..20_000 {
        let x = f64::from_bits(rng.next());
        if x.is_finite() {
            let mut out = Vec::new();
            push_float(&mut out, x);
            assert_eq!(std::str::from_utf8(&out).unwrap().parse::<f64>(), Ok(x));
        }
    }
}

/// Damaged documents: no panic, and whatever is accepted gives JSON again after edits, with the edits in it.
#[test]
fn damage() {
    let mut rng = Rng(1);
    let mut q = Query::new();
    let (a, b, c) = (q.field("customer.name"), q.field("amount"), q.field("customer.tags.0"));
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut data = ORDER.to_vec();
        for _ in 0..rng.below(4) {
            let i = rng.below(data.len());
            match rng.below(3) {
                0 => data[i] = b"{}[]\",:\\0 \xff"[rng.below(11)],
                1 => drop(data.remove(i)),
                _ => data.insert(i, b"{}[]\",:1 "[rng.below(9)]),
            }
        }
        let Ok(mut doc) = q.parse(&data) else { continue };
        accepted += 1;
        let there = doc.kind(a) != Kind::Missing;
        doc.set_int(a, 42);
        doc.remove(b);
        doc.remove(c);
        let mut out = Vec::new();
        if doc.write(&mut out).is_err() {
            continue;
        }
        let again = q.parse(&out).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)));
        assert!(!there || again.int(a) == Some(42), "{}", String::from_utf8_lossy(&out));
    }
    assert!(accepted > 10_000, "only {accepted} documents were accepted");
}

//! mapValues over JSON as a guest in Rust:
//!
//! * `enrich` adds the field total = round(amount * 119) / 100, makes the field type upper case, drops the field agent
//! * `copy` lets every record pass by reference
//! * `upper` makes the ASCII letters of any value upper case
//!
//! `enrich` changes no other byte of the value. A value that is not a JSON object, or whose type is not a string, is an
//! error of its record.

use wasmstream::json::{Field, Kind, Query};
use wasmstream::{Error, Module, OutPart, map_values};

fn module() -> Module {
    let mut enrich = Enrich::new();
    Module::new("mapvalues", "1.0.0")
        .with(
            map_values("enrich", move |value, out| enrich.apply(value, out))
                .describe("adds total, upper-cases type, drops agent"),
        )
        .with(map_values("copy", |_, out| out.keep()).wants(&[]).describe("lets every record pass by reference"))
        .with(map_values("upper", upper).describe("makes ASCII letters upper case"))
}

wasmstream::export!(module);

struct Enrich {
    event: Query,
    amount: Field,
    kind: Field,
    agent: Field,
    total: Field,
}

impl Enrich {
    fn new() -> Self {
        let mut event = Query::new();
        let [amount, kind, agent, total] = ["amount", "type", "agent", "total"].map(|path| event.field(path));
        Self { event, amount, kind, agent, total }
    }

    fn apply(&mut self, value: Option<&[u8]>, out: &mut OutPart) -> Result<(), Error> {
        let no_object = || Error::fail("the value is not a JSON object");
        let mut doc = self.event.parse(value.unwrap_or_default()).map_err(|_| no_object())?;
        if !doc.is_object() {
            return Err(no_object());
        }
        let kind = doc.raw(self.kind).filter(|_| doc.kind(self.kind) == Kind::String);
        let kind = kind.ok_or_else(|| Error::fail("the field type is not a string"))?;
        let amount = doc.float(self.amount).unwrap_or(0.0);
        doc.set_float(self.total, round(amount * 119.0) as f64 / 100.0);
        doc.set_with(self.kind, |text| push_upper_string(text, kind));
        doc.remove(self.agent);
        Ok(doc.write(out.bytes())?)
    }
}

/// Java's Math.round: to the nearest whole number, halves up, as far as 64 bits reach.
fn round(x: f64) -> i64 {
    let down = x.floor();
    (if x - down >= 0.5 { down + 1.0 } else { down }) as i64
}

fn upper(value: Option<&[u8]>, out: &mut OutPart) {
    match value {
        Some(value) => out.bytes().extend(value.iter().map(u8::to_ascii_uppercase)),
        None => out.keep(),
    }
}

/// Appends a JSON string, quotes included, in upper case. Escapes stay, but for those of small letters.
fn push_upper_string(out: &mut Vec<u8>, raw: &[u8]) {
    let mut rest = raw.iter();
    while let Some(c) = rest.next() {
        out.push(c.to_ascii_uppercase());
        if *c != b'\\' {
            continue;
        }
        match rest.next() {
            Some(b'u') => {
                let digits = rest.as_slice();
                out.push(b'u');
                out.extend_from_slice(&digits[..4]);
                // The codes of small letters are 0061 to 007a, those of the capitals two less in the third digit.
                let code = digits[..4].iter().fold(0, |v, d| v << 4 | char::from(*d).to_digit(16).unwrap_or(0));
                if (0x61..=0x7A).contains(&code) {
                    let third = out.len() - 2;
                    out[third] -= 2;
                }
                rest = digits[4..].iter();
            }
            Some(escaped) => out.push(*escaped),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmstream::Class;
    use wasmstream::test::{TestHost, TestOutput, TestRecord};

    fn run(component: &str, value: Option<&[u8]>) -> TestOutput {
        let mut host = TestHost::new(module());
        let node = host.open(component).unwrap();
        let record = TestRecord { key: Some(b"k".to_vec()), value: value.map(<[u8]>::to_vec), ..TestRecord::default() };
        host.process(node, &[record]).unwrap().pop().unwrap()
    }

    fn text(out: &TestOutput) -> &str {
        std::str::from_utf8(out.record.value.as_deref().unwrap_or(b"null")).unwrap()
    }

    const EVENT: &str = concat!(
        r#"{"user":"u0012345","type":"click","amount":482.17,"ts":1700000000123,"country":"DE","page":"/item/31245","#,
        r#""session":"0123456789abcdef","agent":"0123456789abcdef0123456789abcdef0123456789abcdef"}"#
    );

    #[test]
    fn enrich() {
        for (input, want) in [
            (
                EVENT,
                r#"{"user":"u0012345","type":"CLICK","amount":482.17,"ts":1700000000123,"country":"DE","page":"/item/31245","session":"0123456789abcdef","total":573.78}"#,
            ),
            (r#"{"type":"a"}"#, r#"{"type":"A","total":0.0}"#),
            (
                r#"{"agent":1,"type":"Buy \u0061\u004b\n\u00e4\\u0061 ä","amount":1.50}"#,
                r#"{"type":"BUY \u0041\u004b\n\u00e4\\U0061 ä","amount":1.50,"total":1.79}"#,
            ),
            (
                r#" { "type" : "\u007A\u007B\u0060" , "agent" : {} } "#,
                r#" { "type" : "\u005A\u007B\u0060"  ,"total":0.0} "#,
            ),
            (r#"{"type":"x","amount":"12"}"#, r#"{"type":"X","amount":"12","total":0.0}"#),
            (r#"{"type":"x","amount":-0.5,"total":[1]}"#, r#"{"type":"X","amount":-0.5,"total":-0.59}"#),
            (r#"{"type":"x","amount":1e300}"#, r#"{"type":"X","amount":1e300,"total":9.223372036854776E16}"#),
            (r#"{"type":"x","amount":-1e300}"#, r#"{"type":"X","amount":-1e300,"total":-9.223372036854776E16}"#),
        ] {
            let out = run("enrich", Some(input.as_bytes()));
            assert_eq!((text(&out), &out.error), (want, &None), "{input}");
            assert_eq!(out.record.key.as_deref(), Some(&b"k"[..]));
        }
    }

    #[test]
    fn enrich_refuses() {
        let trailing = format!("{EVENT}}}");
        for input in [None, Some(""), Some("x"), Some("[1]"), Some(r#"{"type":1}"#), Some("{}"), Some(&trailing)] {
            let out = run("enrich", input.map(str::as_bytes));
            assert_eq!(out.error.map(|(class, _)| class), Some(Class::Fail), "{input:?}");
        }
    }

    #[test]
    fn copy_keeps_all() {
        for value in [None, Some(&b""[..]), Some(b"v")] {
            assert_eq!(run("copy", value).record.value.as_deref(), value);
        }
    }

    #[test]
    fn upper() {
        for (input, want) in [("", ""), ("abcxyz", "ABCXYZ"), ("`{@[é", "`{@[é")] {
            assert_eq!(text(&run("upper", Some(input.as_bytes()))), want);
        }
        assert_eq!(run("upper", None).record.value, None);
    }
}

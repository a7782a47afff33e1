//! WordCount as a guest in Rust, in two forms: split-words is the function of the DSL's flatMapValues, count-words a
//! processor that splits, counts in its own store and forwards every update.

use wasmstream::{
    Context, Error, KeyValueStore, Module, Part, Processor, Record, flat_map_values, long_bytes, long_from, process,
};

fn module() -> Module {
    let mut lower = Vec::new();
    Module::new("wordcount", "1.0.0")
        .with(
            flat_map_values("split-words", move |line, out| split(line, &mut lower, |word| out.emit(word)))
                .describe("the words of a line of text, in lower case"),
        )
        .with(
            process("count-words", CountWords::default)
                .wants(&[Part::Value])
                .stores(&["counts"])
                .describe("counts the words of lines of text and forwards each new count"),
        )
}

wasmstream::export!(module);

/// Calls `emit` with each word of `line`: ASCII letters in lower case, all other bytes as they are, cut at blanks as
/// Java's `String.split(" ")` does. Words between two blanks are empty, empty words at the end are left out, an empty
/// line is one empty word, and a line that is null or only blanks has none. `lower` is used again for every line.
fn split(line: Option<&[u8]>, lower: &mut Vec<u8>, mut emit: impl FnMut(&[u8])) {
    let Some(line) = line else { return };
    let end = line.iter().rposition(|c| *c != b' ').map_or(0, |i| i + 1);
    if end == 0 {
        if line.is_empty() {
            emit(line);
        }
        return;
    }
    lower.clear();
    lower.extend(line[..end].iter().map(u8::to_ascii_lowercase));
    lower.split(|c| *c == b' ').for_each(emit);
}

/// The processor: key = word, value = its count so far, as Kafka's LongSerializer writes it.
#[derive(Default)]
struct CountWords {
    counts: KeyValueStore,
    lower: Vec<u8>,
}

impl Processor for CountWords {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.counts = ctx.store("counts")?;
        Ok(())
    }

    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error> {
        let Self { counts, lower } = self;
        let mut result = Ok(());
        split(rec.value, lower, |word| {
            if result.is_ok() {
                result =
                    add(counts, word).map(|n| ctx.forward(&rec.with_key(Some(word)).with_value(Some(&long_bytes(n)))));
            }
        });
        result
    }
}

/// Reads, adds one and writes; returns the new count.
fn add(counts: &mut KeyValueStore, word: &[u8]) -> Result<i64, Error> {
    let old = match counts.get(word)? {
        Some(value) => {
            long_from(value).ok_or_else(|| Error::fail("the store holds a value that is not a long of 8 bytes"))?
        }
        None => 0,
    };
    counts.put(word, Some(&long_bytes(old + 1)))?;
    Ok(old + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmstream::Class;
    use wasmstream::test::{TestHost, TestRecord};

    fn words(line: Option<&[u8]>) -> Vec<Vec<u8>> {
        let mut host = TestHost::new(module());
        let node = host.open("split-words").unwrap();
        let record = TestRecord {
            key: Some(b"k".to_vec()),
            value: line.map(<[u8]>::to_vec),
            timestamp: 7,
            ..TestRecord::default()
        };
        let outs = host.process(node, &[record]).unwrap();
        assert!(
            outs.iter().all(|o| o.record.key.as_deref() == Some(b"k") && o.record.timestamp == 7 && o.index == Some(0))
        );
        outs.into_iter().map(|o| o.record.value.unwrap()).collect()
    }

    #[test]
    fn split_words() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[""]),
            (" ", &[]),
            ("    ", &[]),
            ("all streams lead to kafka", &["all", "streams", "lead", "to", "kafka"]),
            ("Hello KAFKA Streams", &["hello", "kafka", "streams"]),
            ("a  b", &["a", "", "b"]),
            (" a", &["", "a"]),
            ("a b  ", &["a", "b"]),
            ("a\tb\nc", &["a\tb\nc"]),
            ("@AZ[`az{", &["@az[`az{"]),
            ("안녕 카프카 STREAMS 안녕", &["안녕", "카프카", "streams", "안녕"]),
            ("ÄÖ Ü", &["ÄÖ", "Ü"]),
        ];
        for (line, want) in cases {
            let got = words(Some(line.as_bytes()));
            assert_eq!(got, want.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>(), "{line:?}");
        }
        assert!(words(None).is_empty());
        assert_eq!(words(Some(b"\xff\xfe A")), [b"\xff\xfe".to_vec(), b"a".to_vec()]);
    }

    #[test]
    fn count_words_forwards_each_update() {
        let mut host = TestHost::new(module());
        let node = host.open("count-words").unwrap();
        let lines = ["all streams lead to kafka", "hello kafka streams", "join kafka summit"].map(TestRecord::value);
        let outs = host.process(node, &lines).unwrap();
        let got: Vec<String> = outs
            .iter()
            .map(|o| {
                let key = String::from_utf8_lossy(o.record.key.as_deref().unwrap()).to_string();
                format!("{key} {}", long_from(o.record.value.as_deref().unwrap()).unwrap())
            })
            .collect();
        let want = "all 1, streams 1, lead 1, to 1, kafka 1, hello 1, kafka 2, streams 2, join 1, kafka 3, summit 1";
        assert_eq!(got.join(", "), want);
        assert_eq!(host.store_get("counts", b"kafka"), Some(long_bytes(3).to_vec()));
    }

    #[test]
    fn count_words_refuses_a_foreign_value() {
        let mut host = TestHost::new(module());
        let node = host.open("count-words").unwrap();
        host.store_put("counts", b"b", b"three");
        let outs = host.process(node, &[TestRecord::value("a b c")]).unwrap();
        assert_eq!(outs.len(), 2);
        assert_eq!(outs[1].error.as_ref().map(|(class, _)| *class), Some(Class::Fail));
    }

    #[test]
    fn huge_line() {
        const WORDS: usize = 524_288;
        let line = "A ".repeat(WORDS);
        assert_eq!(words(Some(line.as_bytes())).len(), WORDS);
        let mut host = TestHost::new(module());
        let node = host.open("count-words").unwrap();
        let outs = host.process(node, &[TestRecord::value(line)]).unwrap();
        assert_eq!(outs.last().unwrap().record.value, Some(long_bytes(WORDS as i64).to_vec()));
    }
}

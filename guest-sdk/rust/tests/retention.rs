//! Stores of a TestHost that do not keep everything.

use std::time::Duration;
use wasmstream::test::{TestHost, TestRecord};
use wasmstream::*;

#[derive(Default)]
struct Stores {
    windows: WindowStore,
    sessions: SessionStore,
    versions: VersionedKeyValueStore,
}

struct Keeping(fn(&mut Stores) -> Result<(), Error>);

impl Processor for Keeping {
    fn process(&mut self, ctx: &mut Context, _: &Record<'_>) -> Result<(), Error> {
        let mut stores = Stores {
            windows: ctx.window_store("w")?,
            sessions: ctx.session_store("s")?,
            versions: ctx.versioned_store("v")?,
        };
        self.0(&mut stores)
    }
}

/// Runs a test inside a processor whose stores keep 10 ms.
fn with_stores(test: fn(&mut Stores) -> Result<(), Error>) -> TestHost {
    let component = process("keeping", move || Keeping(test)).stores(&["w", "s", "v"]);
    let mut host = TestHost::new(Module::new("m", "1").with(component));
    ["w", "s", "v"].iter().for_each(|store| host.store_keep(store, Duration::from_millis(10)));
    host.store_put("v", &[b"early".as_slice(), &long_bytes(7)].concat(), b"put before");
    let node = host.open("keeping").unwrap();
    assert_eq!(host.process(node, &[TestRecord::value("x")]).unwrap(), []);
    host
}

#[test]
fn windows_expire() {
    let host = with_stores(|s| {
        for start in [100, 105, 109] {
            s.windows.put(b"k", Some(b"v"), start)?;
        }
        assert!(s.windows.fetch(b"k", 100)?.is_some());
        s.windows.put(b"other", Some(b"v"), 110)?;
        assert!(s.windows.fetch(b"k", 100)?.is_none());
        s.windows.put(b"k", Some(b"late"), 99)?;
        let (mut starts, mut all) = (Vec::new(), s.windows.fetch_all(0, i64::MAX, false)?);
        while let Some(w) = all.next()? {
            starts.push(w.start);
        }
        assert_eq!(starts, [105, 109, 110]);
        Ok(())
    });
    assert_eq!(host.store_get("w", &[b"k".as_slice(), &long_bytes(100)].concat()), None);
}

#[test]
fn sessions_expire_by_their_end() {
    with_stores(|s| {
        s.sessions.put(b"k", 0, 101, Some(b"v"))?;
        s.sessions.put(b"k", 110, 110, Some(b"v"))?;
        assert!(s.sessions.fetch_session(b"k", 0, 101)?.is_some());
        s.sessions.put(b"k", 111, 111, None)?; // to remove one moves the time on too
        assert!(s.sessions.fetch_session(b"k", 0, 101)?.is_none());
        s.sessions.put(b"k", 0, 100, Some(b"late"))?;
        let mut all = s.sessions.fetch(b"k")?;
        assert_eq!(all.next()?.map(|s| s.end), Some(110));
        assert!(all.next()?.is_none());
        Ok(())
    });
}

#[test]
fn history_expires() {
    with_stores(|s| {
        assert_eq!(s.versions.get(b"early")?.map(|v| v.value), Some(&b"put before"[..]));
        for (at, value) in [(100, b"a"), (105, b"b"), (112, b"c")] {
            s.versions.put(b"k", Some(value), at)?;
        }
        assert!(matches!(s.versions.put(b"other", Some(b"late"), 101)?, VersionPut::NotPut));
        assert!(matches!(s.versions.put(b"other", Some(b""), 102)?, VersionPut::Latest));
        let mut as_of = |at| Ok::<_, Error>(s.versions.get_as_of(b"k", at)?.map(|v| v.value[0]));
        assert_eq!(
            [as_of(101)?, as_of(102)?, as_of(105)?, as_of(i64::MAX)?],
            [None, Some(b'a'), Some(b'b'), Some(b'c')]
        );
        s.versions.put(b"other", Some(b"v"), 120)?;
        let mut as_of = |at| Ok::<_, Error>(s.versions.get_as_of(b"k", at)?.map(|v| v.value[0]));
        assert_eq!([as_of(109)?, as_of(111)?, as_of(112)?], [None, Some(b'b'), Some(b'c')]);
        s.versions.put(b"other", Some(b"v"), 1000)?;
        assert_eq!(s.versions.get(b"k")?.map(|v| v.value), Some(&b"c"[..])); // the latest is known for ever
        let mut all = s.versions.range(b"k", 0, i64::MAX, false)?;
        assert_eq!(all.next()?.map(|v| v.timestamp), Some(112));
        assert!(all.next()?.is_none());
        Ok(())
    });
}

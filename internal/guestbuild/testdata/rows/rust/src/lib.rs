//! A guest that does with stores of windows, sessions, versions and timestamps what it is told, for tests. A record's value
//! is a command: words separated by one blank, "-" is null; the answer is a record with the same key and what came of it
//! as value. The same guest exists in each language.

use std::fmt::Write;
use std::str::{Split, from_utf8};
use wasmstream::{
    Context, Error, Module, Part, Processor, Record, SessionIter, SessionStore, TimestampedKeyValueStore, Version,
    VersionPut, VersionedKeyValueStore, WindowIter, WindowStore, process, split_timestamped,
};

fn module() -> Module {
    Module::new("rows", "1.0.0").with(
        process("rows", Rows::default)
            .wants(&[Part::Key, Part::Value])
            .stores(&["windows", "stamped", "sessions", "versions", "latest"]),
    )
}

wasmstream::export!(module);

#[derive(Default)]
struct Rows {
    windows: WindowStore,
    stamped: WindowStore,
    sessions: SessionStore,
    versions: VersionedKeyValueStore,
    latest: TimestampedKeyValueStore,
    text: String,
}

/// The words of a command.
struct Words<'a> {
    words: Split<'a, char>,
    backward: bool,
}

impl<'a> Words<'a> {
    fn word(&mut self) -> Option<&'a [u8]> {
        let w = self.words.next().unwrap_or_default();
        (w != "-").then_some(w.as_bytes())
    }

    fn key(&mut self) -> &'a [u8] {
        self.word().unwrap_or_default()
    }

    fn number(&mut self) -> i64 {
        self.words.next().and_then(|w| w.parse().ok()).unwrap_or_default()
    }
}

fn shown(value: Option<&[u8]>) -> &str {
    value.map_or("(null)", |v| from_utf8(v).unwrap_or("?"))
}

impl Rows {
    fn list_windows(&mut self, mut all: WindowIter, stamped: bool) -> Result<(), Error> {
        while let Some(w) = all.next()? {
            let _ = write!(self.text, " {}@{}", shown(Some(w.key)), w.start);
            let mut value = w.value;
            if let Some((bare, timestamp)) = split_timestamped(value).filter(|_| stamped) {
                let _ = write!(self.text, "!{timestamp}");
                value = bare;
            }
            let _ = write!(self.text, "={}", shown(Some(value)));
        }
        Ok(())
    }

    fn list_sessions(&mut self, mut all: SessionIter) -> Result<(), Error> {
        while let Some(s) = all.next()? {
            let _ = write!(self.text, " {}@{}-{}={}", shown(Some(s.key)), s.start, s.end, shown(Some(s.value)));
        }
        Ok(())
    }

    fn on_windows(&mut self, name: &str, args: &mut Words<'_>) -> Result<(), Error> {
        match name {
            "window.put" => {
                let (key, start) = (args.key(), args.number());
                self.windows.put(key, args.word(), start)?;
            }
            "window.fetch" => {
                let key = args.key();
                self.text.push_str(shown(self.windows.fetch(key, args.number())?));
            }
            "window.range" => {
                let (key, from) = (args.key(), args.number());
                let all = self.windows.fetch_range(key, from, args.number(), args.backward)?;
                self.list_windows(all, false)?;
            }
            "window.keys" => {
                let (from_key, to_key, from) = (args.word(), args.word(), args.number());
                let all = self.windows.fetch_keys(from_key, to_key, from, args.number(), args.backward)?;
                self.list_windows(all, false)?;
            }
            "window.all" => {
                let from = args.number();
                let all = self.windows.fetch_all(from, args.number(), args.backward)?;
                self.list_windows(all, false)?;
            }
            "stamped.put" => {
                let (key, start, value) = (args.key(), args.number(), args.word());
                self.stamped.put_timestamped(key, value, start, args.number())?;
            }
            "stamped.fetch" => {
                let key = args.key();
                match self.stamped.fetch(key, args.number())?.and_then(split_timestamped) {
                    Some((value, timestamp)) => drop(write!(self.text, "{timestamp}={}", shown(Some(value)))),
                    None => self.text.push_str("(null)"),
                }
            }
            "stamped.all" => {
                let from = args.number();
                let all = self.stamped.fetch_all(from, args.number(), args.backward)?;
                self.list_windows(all, true)?;
            }
            _ => self.text.push('?'),
        }
        Ok(())
    }

    fn on_sessions(&mut self, name: &str, args: &mut Words<'_>) -> Result<(), Error> {
        match name {
            "session.put" => {
                let (key, start, end) = (args.key(), args.number(), args.number());
                self.sessions.put(key, start, end, args.word())?;
            }
            "session.remove" => {
                let (key, start) = (args.key(), args.number());
                self.sessions.remove(key, start, args.number())?;
            }
            "session.fetch" => {
                let (key, start) = (args.key(), args.number());
                self.text.push_str(shown(self.sessions.fetch_session(key, start, args.number())?));
            }
            "session.find" => {
                let (key, end) = (args.key(), args.number());
                let all = self.sessions.find_sessions(key, end, args.number(), args.backward)?;
                self.list_sessions(all)?;
            }
            "session.keys" => {
                let (from, to, end) = (args.word(), args.word(), args.number());
                let all = self.sessions.find_sessions_of_keys(from, to, end, args.number(), args.backward)?;
                self.list_sessions(all)?;
            }
            _ => self.text.push('?'),
        }
        Ok(())
    }

    fn on_versions(&mut self, name: &str, args: &mut Words<'_>) -> Result<(), Error> {
        match name {
            "version.put" => {
                let (key, value) = (args.key(), args.word());
                let valid_to = match self.versions.put(key, value, args.number())? {
                    VersionPut::Latest => -1,
                    VersionPut::ValidTo(to) => to,
                    VersionPut::NotPut => i64::MIN,
                };
                let _ = write!(self.text, "{valid_to}");
            }
            "version.delete" => {
                let key = args.key();
                add_version(&mut self.text, self.versions.delete(key, args.number())?);
            }
            "version.get" => add_version(&mut self.text, self.versions.get(args.key())?),
            "version.asof" => {
                let key = args.key();
                add_version(&mut self.text, self.versions.get_as_of(key, args.number())?);
            }
            "version.range" => {
                let (key, from) = (args.key(), args.number());
                let mut all = self.versions.range(key, from, args.number(), args.backward)?;
                while let Some(v) = all.next()? {
                    add_version(&mut self.text, Some(v));
                }
            }
            "latest.put" => {
                let (key, value) = (args.key(), args.word());
                self.latest.put(key, value, args.number())?;
            }
            "latest.get" => match self.latest.get(args.key())? {
                Some((value, timestamp)) => drop(write!(self.text, "{timestamp}={}", shown(Some(value)))),
                None => self.text.push_str("(null)"),
            },
            _ => self.text.push('?'),
        }
        Ok(())
    }
}

fn add_version(text: &mut String, version: Option<Version<'_>>) {
    if let Some(v) = version {
        let _ = write!(text, " @{}-{}={}", v.timestamp, v.valid_to.unwrap_or(-1), shown(Some(v.value)));
    }
}

impl Processor for Rows {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.windows = ctx.window_store("windows")?;
        self.stamped = ctx.timestamped_window_store("stamped")?;
        self.sessions = ctx.session_store("sessions")?;
        self.versions = ctx.versioned_store("versions")?;
        self.latest = ctx.timestamped_store("latest")?;
        Ok(())
    }

    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error> {
        let command = from_utf8(rec.value.unwrap_or_default()).unwrap_or_default();
        let mut args = Words { words: command.split(' '), backward: false };
        let mut name = args.words.next().unwrap_or_default();
        if name == "backward" {
            args.backward = true;
            name = args.words.next().unwrap_or_default();
        }
        self.text.clear();
        match name.split('.').next() {
            Some("window" | "stamped") => self.on_windows(name, &mut args)?,
            Some("session") => self.on_sessions(name, &mut args)?,
            _ => self.on_versions(name, &mut args)?,
        }
        let text = core::mem::take(&mut self.text);
        let mut answer = *rec;
        answer.value = Some(text.as_bytes());
        ctx.forward(&answer);
        self.text = text;
        Ok(())
    }
}

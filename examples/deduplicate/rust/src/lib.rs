//! Deduplication with the Processor API: an event goes on if none of its id came in the time before it. The ids that were
//! seen stand in a store, each with the time of the event that went on; a punctuator takes out those that are too old.

use core::time::Duration;
use wasmstream::json::{Field, Kind, Query};
use wasmstream::{
    Batch, Context, Error, KeyValueStore, Module, Part, Processor, PunctuationType, Record, Timer, long_bytes,
    long_from, process,
};

fn module() -> Module {
    Module::new("deduplicate", "1.0.0").with(
        process("first-only", FirstOnly::new)
            .wants(&[Part::Value])
            .stores(&["seen"])
            .describe("drops events whose id came within the last window.ms (10 minutes)"),
    )
}

wasmstream::export!(module);

struct FirstOnly {
    seen: KeyValueStore,
    window: i64,
    event: Query,
    id: Field,
    text: Vec<u8>,
    old: Batch,
}

impl FirstOnly {
    fn new() -> Self {
        let mut event = Query::new();
        let id = event.field("id");
        Self { seen: KeyValueStore::default(), window: 600_000, event, id, text: Vec::new(), old: Batch::default() }
    }
}

impl Processor for FirstOnly {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.seen = ctx.store("seen")?;
        if let Some(text) = ctx.config("window.ms") {
            self.window = text.parse().map_err(|_| Error::fail("window.ms is no number"))?;
        }
        ctx.schedule(Duration::from_millis(self.window as u64), PunctuationType::StreamTime)?;
        Ok(())
    }

    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error> {
        let no_id = || Error::dead_letter("the event is not JSON with a text id");
        let event = self.event.parse(rec.value.unwrap_or_default()).map_err(|_| no_id())?;
        self.text.clear();
        if event.kind(self.id) != Kind::String || !event.text(self.id, &mut self.text) {
            return Err(no_id());
        }
        let last = self.seen.get(&self.text)?.and_then(long_from);
        if last.is_none_or(|t| (rec.timestamp - t).abs() >= self.window) {
            self.seen.put(&self.text, Some(&long_bytes(rec.timestamp)))?;
            ctx.forward(rec);
        }
        Ok(())
    }

    fn punctuate(&mut self, _ctx: &mut Context, _timer: Timer, now: i64) -> Result<(), Error> {
        self.old.clear();
        let mut all = self.seen.range(None, None, false)?;
        while let Some((id, time)) = all.next()? {
            if long_from(time).is_none_or(|t| now - t >= self.window) {
                self.old.key(id);
            }
        }
        Ok(self.seen.write_many(&self.old)?)
    }
}

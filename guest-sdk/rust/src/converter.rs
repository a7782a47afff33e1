//! Converters of Connect: bytes to data and back.

use crate::component::{Component, Kind, Node, Part};
use crate::connect::{plugin, topics_of};
use crate::context::Context;
use crate::datum::{Datum, Writer};
use crate::error::Error;
use crate::output::Part as OutPart;
use crate::record::{Record, Records};
use alloc::boxed::Box;

/// Turns bytes into data and back. `ctx.config("isKey")` is `true` where it is for keys. Each direction has a converter
/// of its own.
pub trait Converter {
    /// Writes the value that `bytes` holds to `to`, which has been reset without a schema ([`Writer::reset`] gives it
    /// one); what writes nothing writes null. `None` is null.
    fn to_connect(&mut self, topic: &str, bytes: Option<&[u8]>, to: &mut Writer) -> Result<(), Error>;
    /// Writes the bytes of a value to `to`, which begins as empty bytes.
    #[allow(clippy::wrong_self_convention)]
    fn from_connect(&mut self, topic: &str, value: Datum<'_>, to: &mut OutPart) -> Result<(), Error>;
}

/// A converter: `make(context)` reads its settings.
pub fn converter<M, C>(name: &str, make: M) -> Component
where
    M: Fn(&Context) -> Result<C, Error> + 'static,
    C: Converter + 'static,
{
    opened(name, Kind::Converter, Part::Value as u8, make)
}

/// A converter of headers: what it is given as the topic is the name of the header.
pub fn header_converter<M, C>(name: &str, make: M) -> Component
where
    M: Fn(&Context) -> Result<C, Error> + 'static,
    C: Converter + 'static,
{
    opened(name, Kind::HeaderConverter, Part::Key as u8 | Part::Value as u8, make)
}

fn opened<M, C>(name: &str, kind: Kind, wants: u8, make: M) -> Component
where
    M: Fn(&Context) -> Result<C, Error> + 'static,
    C: Converter + 'static,
{
    plugin(name, kind, wants, move |ctx| {
        let (converter, to_connect) = (make(ctx)?, ctx.direction() != "fromConnect");
        let (writer, bytes) = (Writer::default(), OutPart::default());
        Ok(Box::new(Converting { converter, to_connect, of_headers: kind == Kind::HeaderConverter, writer, bytes }))
    })
}

/// A converter that is open for one direction.
struct Converting<C> {
    converter: C,
    to_connect: bool,
    of_headers: bool,
    writer: Writer,
    bytes: OutPart,
}

impl<C: Converter> Converting<C> {
    fn one(&mut self, ctx: &mut Context, about: &str, rec: &Record<'_>) -> Result<(), Error> {
        if self.to_connect {
            self.writer.reset(None);
            self.converter.to_connect(about, rec.value, &mut self.writer)?;
            ctx.out.value(rec.index, Some(&self.writer.buf));
            ctx.out.aux.append(&mut self.writer.defs);
            return Ok(());
        }
        let schemas = ctx.schemas.clone();
        self.bytes.reset();
        self.converter.from_connect(about, Datum::root(rec.value, &schemas.borrow()), &mut self.bytes)?;
        ctx.out.value(rec.index, self.bytes.resolve(None));
        Ok(())
    }
}

impl<C: Converter> Node for Converting<C> {
    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        let topics = topics_of(&records);
        for rec in records {
            let about = if self.of_headers {
                core::str::from_utf8(rec.key.unwrap_or_default()).unwrap_or_default()
            } else {
                (rec.dest as usize).checked_sub(1).and_then(|i| topics.get(i).copied()).unwrap_or_default()
            };
            if let Err(e) = self.one(ctx, about, &rec) {
                ctx.out.aux.append(&mut self.writer.defs);
                ctx.out.fail(rec.index, &e);
            }
        }
    }
}

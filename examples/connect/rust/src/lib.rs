//! Plugins of Connect in Rust: total and unwrap transform records, mask is the twin of Kafka's MaskField for the benchmark,
//! csv is a converter, number one of headers, poll is a source, webhook is a sink.

use std::rc::Rc;
use wasmstream::{
    ConnectRecord, Context, Converter, Datum, Errno, Error, Module, OutPart, Schema, Setting, Sink, Source,
    SourceRecords, Type, Writer, converter, header_converter, http, sink, source, transformation, transformation_with,
};

/// Adds the field total, the product of price and quantity, to structs; their schema grows by it.
fn total() -> impl FnMut(&mut ConnectRecord<'_>) -> Result<(), Error> {
    let mut last: Option<(Rc<Schema>, Rc<Schema>)> = None;
    move |r| {
        let value = r.value();
        let (price, quantity) = (value.field("price"), value.field("quantity"));
        if price.is_null() || quantity.is_null() {
            return Err(Error::dead_letter("the value has no price or no quantity"));
        }
        let product = price.float() * quantity.float();
        match value.schema() {
            Some(schema) => {
                if last.as_ref().is_none_or(|(from, _)| !Rc::ptr_eq(from, schema)) {
                    let wider = schema.with("total", Schema::primitive(Type::Float64, false));
                    last = Some((schema.clone(), wider));
                }
                let Some((_, wider)) = &last else { return Ok(()) };
                let n = value.len();
                let w = r.set_value(Some(wider));
                w.structure(wider);
                (0..n).for_each(|i| w.keep(i));
                w.float64(product);
            }
            None => {
                let n = value.len();
                let w = r.set_value(None);
                w.map(n + 1);
                (0..2 * n).for_each(|i| w.keep(i));
                w.str("total");
                w.float64(product);
            }
        }
        Ok(())
    }
}

/// Takes the row out of an envelope of change capture: after, or for deletions nothing, which makes a tombstone. Where
/// the row came from stands in the header op.
fn unwrap(r: &mut ConnectRecord<'_>) -> Result<(), Error> {
    let envelope = r.value();
    if envelope.is_null() {
        return Ok(());
    }
    let (op, after) = (envelope.field("op"), envelope.field("after"));
    if op.ty() != Type::String {
        return Err(Error::dead_letter("the value is no envelope: it has no op"));
    }
    if after.is_null() {
        r.set_null_value();
    } else {
        let schema = after.schema().cloned();
        r.set_value(schema.as_ref()).copy(after);
    }
    let op = op.str();
    r.add_header("op", None, |w| w.str(op));
    Ok(())
}

/// Posts each record as JSON, its value if that is text, to url. What the server refuses goes to the dead letters; what
/// it cannot take now comes again.
struct Webhook {
    url: String,
    token: Option<String>,
}

impl Sink for Webhook {
    fn put(&mut self, rec: &ConnectRecord<'_>) -> Result<(), Error> {
        let value = rec.value();
        if value.ty() != Type::String {
            return Err(Error::dead_letter("the value is no text"));
        }
        let mut headers = vec![("content-type", "application/json")];
        if let Some(token) = &self.token {
            headers.push(("authorization", token));
        }
        match http("POST", &self.url, &headers, value.bytes()) {
            Ok(r) if (200..300).contains(&r.status) => Ok(()),
            Ok(r) if r.status == 429 || r.status >= 500 => {
                Err(Error::retry(format!("{} answers {}", self.url, r.status)))
            }
            Ok(r) => Err(Error::dead_letter(format!("{} answers {}", self.url, r.status))),
            Err(e) if e == Errno::RETRY => Err(Error::retry(format!("{} does not answer", self.url))),
            Err(e) => Err(Error::fail(format!("{}: {e}", self.url))),
        }
    }
}

/// Converts lines without quotes: values must not have commas.
struct Csv {
    schema: Rc<Schema>,
}

impl Csv {
    fn new(ctx: &Context) -> Result<Self, Error> {
        let columns = ctx.config("columns").unwrap_or_default().split(',');
        let fields = columns.map(|name| (name.to_string(), Schema::primitive(Type::String, true))).collect();
        Ok(Self { schema: Schema::structure("row", fields) })
    }
}

impl Converter for Csv {
    /// Reads a line; columns that it lacks are null.
    fn to_connect(&mut self, _topic: &str, bytes: Option<&[u8]>, to: &mut Writer) -> Result<(), Error> {
        let Some(bytes) = bytes else { return Ok(()) };
        let line = std::str::from_utf8(bytes).map_err(|_| Error::fail("the line is not UTF-8"))?;
        let columns = self.schema.fields.len();
        if line.split(',').count() > columns {
            return Err(Error::fail(format!("the line has more than {columns} columns")));
        }
        to.reset(Some(&self.schema));
        to.structure(&self.schema);
        line.split(',').for_each(|value| to.str(value));
        Ok(())
    }

    /// Writes a line.
    fn from_connect(&mut self, _topic: &str, value: Datum<'_>, to: &mut OutPart) -> Result<(), Error> {
        if value.is_null() {
            to.set_null();
            return Ok(());
        }
        for (i, (name, _)) in self.schema.fields.iter().enumerate() {
            if i > 0 {
                to.bytes().push(b',');
            }
            let field = value.field(name);
            if field.str().contains(',') {
                return Err(Error::fail(format!("column {name} has a comma")));
            }
            to.bytes().extend_from_slice(field.bytes());
        }
        Ok(())
    }
}

/// Converts headers of decimal numbers.
struct Number {
    schema: Rc<Schema>,
}

impl Converter for Number {
    fn to_connect(&mut self, name: &str, bytes: Option<&[u8]>, to: &mut Writer) -> Result<(), Error> {
        let Some(bytes) = bytes else { return Ok(()) };
        let n = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        to.reset(Some(&self.schema));
        to.int64(n.ok_or_else(|| Error::fail(format!("header {name} is no number")))?);
        Ok(())
    }

    fn from_connect(&mut self, name: &str, value: Datum<'_>, to: &mut OutPart) -> Result<(), Error> {
        match value.ty() {
            Type::Null => to.set_null(),
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => to.set(value.int().to_string().as_bytes()),
            _ => return Err(Error::fail(format!("header {name} is no number"))),
        }
        Ok(())
    }
}

/// Asks a server for the lines that come after those that it has seen.
struct Poll {
    url: String,
    topic: String,
    token: Option<String>,
    schema: Rc<Schema>,
    seen: i64,
}

/// The partition of the source: its URL.
fn write_partition(w: &mut Writer, url: &str) {
    w.map(1);
    w.str("url");
    w.str(url);
}

impl Poll {
    fn new(ctx: &Context) -> Result<Self, Error> {
        let setting = |name| ctx.config(name).unwrap_or_default().to_string();
        let (url, topic) = (setting("url"), setting("topic"));
        let seen = match ctx.offset(|w| write_partition(w, &url), |offset| offset.field("line").int()) {
            Err(Errno::DENIED) => 0, // where only the settings are tried
            seen => seen?.unwrap_or_default(),
        };
        let token = ctx.config("token").map(|t| format!("Bearer {t}"));
        Ok(Self { url, topic, token, schema: Schema::primitive(Type::String, false), seen })
    }
}

impl Source for Poll {
    fn poll(&mut self, batch: &mut SourceRecords<'_>, budget: usize) -> Result<(), Error> {
        let headers: Vec<(&str, &str)> = self.token.iter().map(|t| ("authorization", t.as_str())).collect();
        let body = match http("GET", &format!("{}?after={}", self.url, self.seen), &headers, b"") {
            Ok(r) if r.status == 200 => String::from_utf8(r.body)?,
            Ok(r) if r.status == 429 || r.status >= 500 => {
                return Err(Error::retry(format!("{} answers {}", self.url, r.status)));
            }
            Ok(r) => return Err(Error::fail(format!("{} answers {}", self.url, r.status))),
            Err(Errno::RETRY) => return Err(Error::retry(format!("{} does not answer", self.url))),
            Err(e) => return Err(Error::fail(format!("{}: {e}", self.url))),
        };
        // A line without its end comes whole with the next poll.
        for line in body.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).take(budget) {
            self.seen += 1;
            batch.begin(&self.topic);
            batch.value(Some(&self.schema)).str(line);
            write_partition(batch.partition(), &self.url);
            let offset = batch.offset();
            offset.map(1);
            offset.str("line");
            offset.int64(self.seen);
            batch.end();
        }
        Ok(())
    }
}

fn module() -> Module {
    Module::new("connect-rust", "1.0.0")
        .with(transformation_with("total", |_| Ok(total())).describe("adds the product of price and quantity"))
        .with(transformation("unwrap", unwrap).describe("takes the row out of an envelope of change capture"))
        .with(
            transformation_with("mask", |ctx| {
                let field = ctx.config("field").unwrap_or_default().to_string();
                Ok(move |r: &mut ConnectRecord<'_>| {
                    if let Some(w) = r.set_field(&field) {
                        w.str("");
                    }
                    Ok(())
                })
            })
            .wants(&[wasmstream::Part::Value])
            .settings(&[Setting::new("field", "The field whose text is emptied.")])
            .describe("empties a text"),
        )
        .with(
            converter("csv", Csv::new)
                .settings(&[Setting::new("columns", "The names of the columns.").ty("LIST")])
                .describe("lines of comma-separated values as structs of strings"),
        )
        .with(
            header_converter("number", |_| Ok(Number { schema: Schema::primitive(Type::Int64, false) }))
                .describe("headers of decimal numbers as INT64"),
        )
        .with(
            source("poll", Poll::new)
                .settings(&[
                    Setting::new("url", "What is asked for; the number of lines seen is added as ?after=N. wasm.egress.allow of the worker must allow it."),
                    Setting::new("topic", "The topic that the lines go to."),
                    Setting::new("token", "A bearer token.").ty("PASSWORD").optional(),
                ])
                .describe("polls a URL for lines behind the last one seen"),
        )
        .with(
            sink("webhook", |ctx| {
                let url = ctx.config("url").unwrap_or_default().to_string();
                Ok(Webhook { url, token: ctx.config("token").map(|t| format!("Bearer {t}")) })
            })
            .describe("posts records to a URL")
            .settings(&[
                Setting::new("url", "Where records are posted to; wasm.egress.allow of the worker must allow it."),
                Setting::new("token", "A bearer token.").ty("PASSWORD").optional(),
            ]),
        )
}

wasmstream::export!(module);

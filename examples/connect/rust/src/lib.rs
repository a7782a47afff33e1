//! Plugins of Connect in Rust: total and unwrap transform records, mask is the twin of Kafka's MaskField for the benchmark,
//! webhook is a sink.

use std::rc::Rc;
use wasmstream::{
    ConnectRecord, Error, Module, Schema, Setting, Sink, Type, http, sink, transformation, transformation_with,
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
            Ok(r) if r.status == 429 || r.status >= 500 => Err(Error::retry(format!("{} answers {}", self.url, r.status))),
            Ok(r) => Err(Error::dead_letter(format!("{} answers {}", self.url, r.status))),
            Err(e) if e == wasmstream::Errno::RETRY => Err(Error::retry(format!("{} does not answer", self.url))),
            Err(e) => Err(Error::fail(format!("{}: {e}", self.url))),
        }
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

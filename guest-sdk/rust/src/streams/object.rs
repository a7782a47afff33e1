use super::call::Placed;
use super::params::Serde;
use crate::component::quoted;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// A JSON object on its way: its fields, separated by commas. What is not given is not written.
#[derive(Default)]
pub(super) struct Object(String);

impl Object {
    pub(super) fn raw(&mut self, key: &str, value: &str) {
        self.fields(&quoted(key));
        self.0.push(':');
        self.0.push_str(value);
    }

    /// Adds fields that are written already.
    pub(super) fn fields(&mut self, fields: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(fields);
    }

    /// Adds the fields of another object.
    pub(super) fn merge(&mut self, other: &Self) {
        self.fields(&other.0);
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    pub(super) fn number(&mut self, key: &str, n: i64) {
        self.raw(key, &n.to_string());
    }

    /// A number that may be left out, which 0 says.
    pub(super) fn positive(&mut self, key: &str, n: u64) {
        if n > 0 {
            self.raw(key, &n.to_string());
        }
    }

    pub(super) fn duration(&mut self, key: &str, d: Duration) {
        self.raw(key, &d.as_millis().to_string());
    }

    /// Text that may be left out.
    pub(super) fn given(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    pub(super) fn texts<S: AsRef<str>>(&mut self, key: &str, values: &[S]) {
        let items: Vec<String> = values.iter().map(|v| quoted(v.as_ref())).collect();
        self.raw(key, &list(&items));
    }

    pub(super) fn serdes(&mut self, key: &Serde, value: &Serde) {
        self.given("key", key.name());
        self.given("value", value.name());
    }

    pub(super) fn flag(&mut self, key: &str, on: bool) {
        if on {
            self.raw(key, "true");
        }
    }

    /// A field that is true if it is not given.
    pub(super) fn unless(&mut self, key: &str, off: bool) {
        if off {
            self.raw(key, "false");
        }
    }

    /// Whether the changes of a store are logged, and how.
    pub(super) fn logged(&mut self, disabled: bool, changelog: &[(&str, &str)]) {
        self.unless("logging", disabled);
        if !changelog.is_empty() {
            let mut all = Self::default();
            for (key, value) in changelog {
                all.text(key, value);
            }
            self.raw("changelog", &all.json());
        }
    }

    /// How keys or values are written in a topic: by a serde, or in a form of the module's own over one.
    pub(super) fn topic_serde(&mut self, key: &str, serde: &Serde, form: Option<Placed>) {
        let Some(form) = form else { return self.given(key, serde.name()) };
        let mut fields = Self::default();
        fields.fields(&form.fields);
        fields.given("as", serde.name());
        self.raw(key, &fields.json());
    }

    /// A function that an operator has as a field of its own.
    pub(super) fn function(&mut self, key: &str, f: Option<&Placed>) {
        if let Some(f) = f {
            let mut fields = Self::default();
            fields.fields(&f.fields);
            self.raw(key, &fields.json());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn json(&self) -> String {
        let mut text = String::with_capacity(self.0.len() + 2);
        text.push('{');
        text.push_str(&self.0);
        text.push('}');
        text
    }
}

pub(super) fn list(items: &[String]) -> String {
    let mut text = String::from("[");
    text.push_str(&items.join(","));
    text.push(']');
    text
}

use super::object::Object;
use super::params::Serde;
use crate::component::Component;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What an operator calls: a component in place, one by its name ([`component`]), or an expression ([`expr`]).
#[derive(Default)]
pub struct Function {
    pub(super) component: Option<Component>,
    call: Call,
    out_key: Serde,
    out_value: Serde,
    config: Vec<(String, String)>,
}

#[derive(Default)]
enum Call {
    #[default]
    InPlace,
    Component(String),
    Expr(String),
    MapExpr(String, String),
}

/// A component of this module by its name.
pub fn component(name: &str) -> Function {
    Function { call: Call::Component(name.to_string()), ..Function::default() }
}

/// An expression in CEL over `key`, `value`, `timestamp` and `headers` (and `left` and `right`, or `aggregate`, where a
/// function has them). The host works it out without a call into the module.
pub fn expr(source: &str) -> Function {
    Function { call: Call::Expr(source.to_string()), ..Function::default() }
}

/// The two expressions of a map.
pub fn map_expr(key: &str, value: &str) -> Function {
    Function { call: Call::MapExpr(key.to_string(), value.to_string()), ..Function::default() }
}

impl From<Component> for Function {
    fn from(c: Component) -> Self {
        Self { component: Some(c), ..Self::default() }
    }
}

impl Component {
    /// Says how the keys and values that it makes in a topology are written: [`Function::out`].
    pub fn out(self, key: Serde, value: Serde) -> Function {
        Function::from(self).out(key, value)
    }

    /// Gives it a setting in a topology: [`Function::with`].
    pub fn with(self, key: &str, value: &str) -> Function {
        Function::from(self).with(key, value)
    }
}

impl Function {
    /// Says how the keys and values that the function makes are written; [`Serde::DEFAULT`] leaves one open.
    pub fn out(mut self, key: Serde, value: Serde) -> Self {
        (self.out_key, self.out_value) = (key, value);
        self
    }

    /// Gives the component a setting, for [`Context::config`](crate::Context::config).
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.config.push((key.to_string(), value.to_string()));
        self
    }

    /// The function as fields of a JSON object, when its component in place is called `name`.
    pub(super) fn placed(self, name: &str) -> Placed {
        let stores = self.component.map(|c| c.stores).unwrap_or_default();
        let mut fields = Object::default();
        match &self.call {
            Call::InPlace => fields.text("guest", name),
            Call::Component(name) => fields.text("guest", name),
            Call::Expr(source) => fields.text("expr", source),
            Call::MapExpr(key, value) => {
                let mut both = Object::default();
                both.text("key", key);
                both.text("value", value);
                fields.raw("expr", &both.json());
            }
        }
        if !self.config.is_empty() {
            let mut all = Object::default();
            for (key, value) in &self.config {
                all.text(key, value);
            }
            fields.raw("config", &all.json());
        }
        let json = fields.json();
        Placed { fields: json[1..json.len() - 1].to_string(), out_key: self.out_key, out_value: self.out_value, stores }
    }
}

/// A function that an operator has: its fields in the document, and what it says of its results.
pub(super) struct Placed {
    pub(super) fields: String,
    pub(super) out_key: Serde,
    pub(super) out_value: Serde,
    pub(super) stores: Vec<String>,
}

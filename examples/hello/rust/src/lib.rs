//! The smallest guest in Rust: one function for mapValues.

use wasmstream::{Module, OutPart, map_values};

fn module() -> Module {
    Module::new("hello", "1.0.0").with(map_values("greet", greet).describe("hello, NAME"))
}

wasmstream::export!(module);

fn greet(name: Option<&[u8]>, out: &mut OutPart) {
    let line = out.bytes();
    line.extend(b"hello, ");
    line.extend(name.unwrap_or_default());
}

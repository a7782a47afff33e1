//! A guest that traps at a line that the test knows by its comment.

use wasmstream::{Module, Part, filter};

#[inline(never)]
fn first_of(bytes: &[u8]) -> i32 {
    let beyond = core::hint::black_box(bytes.as_ptr().wrapping_add(0x7fff_0000));
    i32::from(unsafe { *beyond }) // TRAPS HERE
}

#[inline(never)]
fn average(bytes: &[u8]) -> i32 {
    if bytes.is_empty() {
        return first_of(bytes).wrapping_add(1); // CALLS IT
    }
    bytes.iter().map(|&b| i32::from(b)).sum::<i32>() / bytes.len() as i32
}

fn module() -> Module {
    Module::new("trap", "1.0.0").with(
        filter("mean", |rec| average(rec.value.unwrap_or_default()) < 256).wants(&[Part::Value]),
    )
}

wasmstream::export!(module);

//! The two ends of what a guest can do with a record: name it, or copy all of it. For the benchmark of the boundary.

use wasmstream::{Module, Part, flat_map, map_values};

fn module() -> Module {
    // What came in and is handed on as it is goes by reference; bytes of the guest's own are copied.
    let (mut key, mut value) = (Vec::new(), Vec::new());
    Module::new("boundary", "1.0.0")
        .with(map_values("reference", |_, out| out.keep()).wants(&[]))
        .with(
            flat_map("copied", move |rec, out| {
                key.clear();
                key.extend_from_slice(rec.key.unwrap_or_default());
                value.clear();
                value.extend_from_slice(rec.value.unwrap_or_default());
                out.emit(Some(&key), Some(&value));
            })
            .wants(&[Part::Key, Part::Value]),
        )
}

wasmstream::export!(module);

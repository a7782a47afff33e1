//! A module of Rust: serde with derived types, maps, formatting.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Event {
    Click { id: u64, at: f64, tags: BTreeMap<String, Option<String>> },
    View { id: u64, pages: Vec<(String, i32)> },
}

#[unsafe(no_mangle)]
pub extern "C" fn ws_abi_v1() -> i32 {
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn work(n: i32) -> i32 {
    let text = r#"[{"type":"click","id":1,"at":1.5e3,"tags":{"a":null,"b":"x"}},{"type":"view","id":2,"pages":[["p",3]]}]"#;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for _ in 0..n {
        let Ok(events) = serde_json::from_str::<Vec<Event>>(text) else { return -1 };
        for e in &events {
            *counts.entry(format!("{e:?}")).or_default() += 1;
        }
        let Ok(back) = serde_json::to_string_pretty(&events) else { return -2 };
        *counts.entry(back).or_default() += 1;
    }
    let value: serde_json::Value = serde_json::json!({ "counts": counts.len(), "n": n });
    value.to_string().len() as i32
}

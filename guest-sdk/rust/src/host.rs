//! The functions of the host in terms of slices. None of them keeps a pointer.

#[cfg(not(target_family = "wasm"))]
pub use crate::test::host::*;
#[cfg(target_family = "wasm")]
pub use wasm::*;

#[cfg(target_family = "wasm")]
mod wasm {
    use crate::layout::len_of;

    mod core {
        #[link(wasm_import_module = "ws1.core")]
        unsafe extern "C" {
            pub fn emit(p: *const u8, n: usize) -> i32;
            pub fn set_error(index: i32, class: u32, p: *const u8, n: usize) -> i32;
            pub fn log_enabled(level: i32) -> i32;
            pub fn log(level: i32, p: *const u8, n: usize) -> i32;
            pub fn metric(kind: i32, p: *const u8, n: usize) -> i32;
            pub fn metric_add(handle: i32, delta: i64) -> i32;
            pub fn time(which: i32, index: i32) -> i64;
            pub fn random(index: i32, p: *mut u8, n: usize) -> i32;
            pub fn schedule(interval_ms: i64, typ: i32, start_ms: i64) -> i32;
            pub fn cancel(timer: i32) -> i32;
            pub fn request_commit() -> i32;
        }
    }

    mod state {
        #[link(wasm_import_module = "ws1.state")]
        unsafe extern "C" {
            pub fn state_open(p: *const u8, n: usize) -> i32;
            pub fn state_get(store: i32, k: *const u8, klen: usize, buf: *mut u8, cap: usize) -> i32;
            pub fn state_put(store: i32, k: *const u8, klen: usize, v: *const u8, vlen: u32) -> i32;
            pub fn state_put_if_absent(
                store: i32,
                k: *const u8,
                klen: usize,
                v: *const u8,
                vlen: u32,
                buf: *mut u8,
                cap: usize,
            ) -> i32;
            pub fn state_delete(store: i32, k: *const u8, klen: usize, buf: *mut u8, cap: usize) -> i32;
            pub fn state_get_many(store: i32, p: *const u8, n: usize, buf: *mut u8, cap: usize) -> i32;
            pub fn state_write_many(store: i32, p: *const u8, n: usize) -> i32;
            pub fn iter_open(
                store: i32,
                f: *const u8,
                flen: u32,
                t: *const u8,
                tlen: u32,
                flags: i32,
                limit: i32,
            ) -> i32;
            pub fn state_open_as(p: *const u8, n: usize, kind: i32, flags: i32) -> i32;
            pub fn state_put_version(
                store: i32,
                k: *const u8,
                klen: usize,
                v: *const u8,
                vlen: u32,
                timestamp: i64,
            ) -> i64;
            pub fn iter_open_span(
                store: i32,
                from: *const u8,
                flen: u32,
                to: *const u8,
                tlen: u32,
                time_from: i64,
                time_to: i64,
                flags: i32,
                limit: i32,
            ) -> i32;
            pub fn iter_next_many(it: i32, buf: *mut u8, cap: usize) -> i32;
            pub fn iter_close(it: i32) -> i32;
        }
    }

    mod connect {
        #[link(wasm_import_module = "ws1.connect")]
        unsafe extern "C" {
            pub fn offset_get(p: *const u8, n: usize, buf: *mut u8, cap: usize) -> i32;
        }
    }

    mod egress {
        #[link(wasm_import_module = "ws1.egress")]
        unsafe extern "C" {
            pub fn http(p: *const u8, n: usize) -> i32;
            pub fn http_response(buf: *mut u8, cap: usize) -> i32;
        }
    }

    fn ptr(part: Option<&[u8]>) -> *const u8 {
        part.map_or(::core::ptr::null(), <[u8]>::as_ptr)
    }

    // SAFETY of all calls: pointer and length are those of a slice that lives through the call, and the host keeps
    // within them.

    pub fn emit(frame: &[u8]) -> i32 {
        unsafe { core::emit(frame.as_ptr(), frame.len()) }
    }
    pub fn set_error(index: i32, class: u32, message: &str) -> i32 {
        unsafe { core::set_error(index, class, message.as_ptr(), message.len()) }
    }
    pub fn log_enabled(level: i32) -> i32 {
        unsafe { core::log_enabled(level) }
    }
    pub fn log(level: i32, message: &str) -> i32 {
        unsafe { core::log(level, message.as_ptr(), message.len()) }
    }
    pub fn metric(kind: i32, name: &str) -> i32 {
        unsafe { core::metric(kind, name.as_ptr(), name.len()) }
    }
    pub fn metric_add(handle: i32, delta: i64) -> i32 {
        unsafe { core::metric_add(handle, delta) }
    }
    pub fn time(which: i32, index: i32) -> i64 {
        unsafe { core::time(which, index) }
    }
    pub fn random(index: i32, buf: &mut [u8]) -> i32 {
        unsafe { core::random(index, buf.as_mut_ptr(), buf.len()) }
    }
    pub fn schedule(interval_ms: i64, typ: i32, start_ms: i64) -> i32 {
        unsafe { core::schedule(interval_ms, typ, start_ms) }
    }
    pub fn cancel(timer: i32) -> i32 {
        unsafe { core::cancel(timer) }
    }
    pub fn request_commit() -> i32 {
        unsafe { core::request_commit() }
    }
    pub fn state_open(name: &str) -> i32 {
        unsafe { state::state_open(name.as_ptr(), name.len()) }
    }
    pub fn state_get(store: i32, key: &[u8], buf: &mut [u8]) -> i32 {
        unsafe { state::state_get(store, key.as_ptr(), key.len(), buf.as_mut_ptr(), buf.len()) }
    }
    pub fn state_put(store: i32, key: &[u8], value: Option<&[u8]>) -> i32 {
        unsafe { state::state_put(store, key.as_ptr(), key.len(), ptr(value), len_of(value)) }
    }
    pub fn state_put_if_absent(store: i32, key: &[u8], value: &[u8], buf: &mut [u8]) -> i32 {
        let vlen = value.len() as u32;
        unsafe {
            state::state_put_if_absent(
                store,
                key.as_ptr(),
                key.len(),
                value.as_ptr(),
                vlen,
                buf.as_mut_ptr(),
                buf.len(),
            )
        }
    }
    pub fn state_delete(store: i32, key: &[u8], buf: &mut [u8]) -> i32 {
        unsafe { state::state_delete(store, key.as_ptr(), key.len(), buf.as_mut_ptr(), buf.len()) }
    }
    pub fn state_get_many(store: i32, block: &[u8], buf: &mut [u8]) -> i32 {
        unsafe { state::state_get_many(store, block.as_ptr(), block.len(), buf.as_mut_ptr(), buf.len()) }
    }
    pub fn state_write_many(store: i32, block: &[u8]) -> i32 {
        unsafe { state::state_write_many(store, block.as_ptr(), block.len()) }
    }
    pub fn iter_open(store: i32, from: Option<&[u8]>, to: Option<&[u8]>, flags: i32, limit: i32) -> i32 {
        unsafe { state::iter_open(store, ptr(from), len_of(from), ptr(to), len_of(to), flags, limit) }
    }
    pub fn state_open_as(name: &str, kind: i32, flags: i32) -> i32 {
        unsafe { state::state_open_as(name.as_ptr(), name.len(), kind, flags) }
    }
    pub fn state_put_version(store: i32, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> i64 {
        unsafe { state::state_put_version(store, key.as_ptr(), key.len(), ptr(value), len_of(value), timestamp) }
    }
    pub fn iter_open_span(
        store: i32,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
        time_from: i64,
        time_to: i64,
        flags: i32,
        limit: i32,
    ) -> i32 {
        unsafe {
            state::iter_open_span(store, ptr(from), len_of(from), ptr(to), len_of(to), time_from, time_to, flags, limit)
        }
    }
    pub fn iter_next_many(it: i32, buf: &mut [u8]) -> i32 {
        unsafe { state::iter_next_many(it, buf.as_mut_ptr(), buf.len()) }
    }
    pub fn iter_close(it: i32) -> i32 {
        unsafe { state::iter_close(it) }
    }
    pub fn offset_get(partition: &[u8], buf: &mut [u8]) -> i32 {
        unsafe { connect::offset_get(partition.as_ptr(), partition.len(), buf.as_mut_ptr(), buf.len()) }
    }
    pub fn http(request: &[u8]) -> i32 {
        unsafe { egress::http(request.as_ptr(), request.len()) }
    }
    pub fn http_response(buf: &mut [u8]) -> i32 {
        unsafe { egress::http_response(buf.as_mut_ptr(), buf.len()) }
    }
}

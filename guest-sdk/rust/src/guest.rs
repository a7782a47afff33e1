//! The functions behind the exports, in terms of slices; `exports` gives them the form of the boundary.

use crate::component::{Module, Node};
use crate::context::{Context, Timer};
use crate::error::{Class, Errno, Error};
use crate::host;
use crate::record::Records;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

struct Handle {
    ctx: Context,
    node: Box<dyn Node>,
}

/// A module that runs: its open components, and the room for frames that come in.
pub struct Guest {
    pub(crate) module: Module,
    handles: Vec<Option<Handle>>,
    inbound: Vec<u64>,
    pub(crate) schemas: crate::connect::SharedSchemas,
}

/// Tells the host why a call as a whole fails, and returns the number.
fn refuse(code: Errno, message: &str) -> i32 {
    host::set_error(-1, Class::Fail as u32, message);
    code.0
}

/// [`refuse`] with the class of an error.
fn refuse_with(e: &Error) -> i32 {
    host::set_error(-1, e.class as u32, &e.message);
    crate::connect::code_of(e).0
}

impl Guest {
    pub(crate) fn new(module: Module) -> Self {
        Self { module, handles: Vec::new(), inbound: Vec::new(), schemas: Default::default() }
    }

    /// Room for `n` bytes, valid until the next call.
    #[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
    pub(crate) fn reserve(&mut self, n: usize) -> *mut u8 {
        let words = n.div_ceil(8);
        if words > self.inbound.len() {
            self.inbound = alloc::vec![0; words.max(2 * self.inbound.len()).max(8 << 10)];
        }
        self.inbound.as_mut_ptr().cast()
    }

    pub(crate) fn open(&mut self, frame: &[u8]) -> i32 {
        let Some((mut ctx, name)) = Context::from_open(frame) else {
            return refuse(Errno::INVALID_ARG, "not an open frame");
        };
        let Some(component) = self.module.find(&name) else {
            return refuse(Errno::NOT_FOUND, &format!("no component {name}"));
        };
        ctx.keeps_keys = component.keeps_keys();
        ctx.schemas = self.schemas.clone();
        let mut node = component.open();
        if let Err(e) = node.init(&mut ctx) {
            return refuse(Errno::UNKNOWN, &e.message);
        }
        self.handles.push(Some(Handle { ctx, node }));
        self.handles.len() as i32 - 1
    }

    /// The handle that the next component to open will have.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn next_handle(&self) -> i32 {
        self.handles.len() as i32
    }

    fn handle(&mut self, handle: i32) -> Result<&mut Handle, i32> {
        let found = usize::try_from(handle).ok().and_then(|h| self.handles.get_mut(h)?.as_mut());
        found.ok_or_else(|| refuse(Errno::INVALID_ARG, "no such handle"))
    }

    pub(crate) fn process(&mut self, handle: i32, frame: &[u8]) -> Result<&[u8], i32> {
        let h = self.handle(handle)?;
        let Some(records) = Records::new(frame) else {
            return Err(refuse(Errno::CORRUPT, "not a frame"));
        };
        h.ctx.out.reset();
        h.ctx.schemas.borrow_mut().learn(records.aux());
        h.ctx.set_frame(Some(frame));
        h.node.process(&mut h.ctx, records);
        h.ctx.set_frame(None);
        if let Some(e) = h.ctx.failed.take() {
            return Err(refuse_with(&e));
        }
        h.ctx.out.result()
    }

    pub(crate) fn punctuate(&mut self, handle: i32, timer: i32, time: i64) -> Result<&[u8], i32> {
        self.handle(handle)?.answer(|node, ctx| node.punctuate(ctx, Timer(timer), time))
    }

    /// Asks a source for records.
    pub(crate) fn poll(&mut self, handle: i32, budget: i32) -> Result<&[u8], i32> {
        let h = self.handle(handle)?;
        h.ctx.out.reset();
        h.ctx.out.arguments = true;
        match h.node.poll(&mut h.ctx, budget.max(0) as usize) {
            None => Err(refuse(Errno::INVALID_ARG, "no such source")),
            Some(Err(e)) => Err(refuse_with(&e)),
            Some(Ok(())) => h.ctx.out.result(),
        }
    }

    /// Tells a source how far its records are safe.
    pub(crate) fn ack(&mut self, handle: i32, frame: &[u8]) -> i32 {
        self.process(handle, frame).err().unwrap_or(0)
    }

    pub(crate) fn flush(&mut self, handle: i32, epoch: i64) -> Result<&[u8], i32> {
        self.handle(handle)?.answer(|node, ctx| {
            ctx.epoch = epoch;
            node.flush(ctx)
        })
    }

    pub(crate) fn close(&mut self, handle: i32) -> i32 {
        match self.handle(handle) {
            Ok(h) => {
                h.node.close();
                self.handles[handle as usize] = None;
                0
            }
            Err(code) => code,
        }
    }
}

impl Handle {
    /// Runs a call that has no input records.
    fn answer(&mut self, call: impl FnOnce(&mut dyn Node, &mut Context) -> Result<(), Error>) -> Result<&[u8], i32> {
        self.ctx.out.reset();
        if let Err(e) = call(&mut *self.node, &mut self.ctx) {
            return Err(refuse_with(&e));
        }
        self.ctx.out.result()
    }
}

/// The exports of a module, for `export!`.
#[cfg(target_family = "wasm")]
pub mod exports {
    use super::Guest;
    use crate::component::Module;
    use core::cell::UnsafeCell;

    struct Global(UnsafeCell<Option<Guest>>);

    // SAFETY: an instance of a module has one thread, and the host never calls it while it runs.
    unsafe impl Sync for Global {}

    static GUEST: Global = Global(UnsafeCell::new(None));

    fn guest(module: fn() -> Module) -> &'static mut Guest {
        // SAFETY: as above; no reference outlives the call of an export.
        let slot = unsafe { &mut *GUEST.0.get() };
        slot.get_or_insert_with(|| {
            #[cfg(feature = "std")]
            std::panic::set_hook(std::boxed::Box::new(|info| {
                crate::log(crate::Level::Error, &std::format!("{info}"));
            }));
            Guest::new(module())
        })
    }

    fn bytes<'a>(p: *const u8, n: u32) -> &'a [u8] {
        // SAFETY: the host wrote n bytes to p, which it got from ws_reserve.
        unsafe { core::slice::from_raw_parts(p, n as usize) }
    }

    fn packed(answer: Result<&[u8], i32>) -> i64 {
        match answer {
            Ok([]) => 0,
            Ok(frame) => (frame.as_ptr() as i64) << 32 | frame.len() as i64,
            Err(code) => code.into(),
        }
    }

    pub fn describe(module: fn() -> Module, buf: *mut u8, cap: u32) -> i32 {
        let text = guest(module).module.manifest();
        if text.len() <= cap as usize {
            // SAFETY: the host gave cap bytes at buf.
            unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), buf, text.len()) };
        }
        text.len() as i32
    }

    pub fn reserve(module: fn() -> Module, n: u32) -> *mut u8 {
        guest(module).reserve(n as usize)
    }

    pub fn open(module: fn() -> Module, p: *const u8, n: u32) -> i32 {
        guest(module).open(bytes(p, n))
    }

    pub fn process(module: fn() -> Module, handle: i32, p: *const u8, n: u32) -> i64 {
        packed(guest(module).process(handle, bytes(p, n)))
    }

    pub fn punctuate(module: fn() -> Module, handle: i32, timer: i32, time: i64) -> i64 {
        packed(guest(module).punctuate(handle, timer, time))
    }

    pub fn poll(module: fn() -> Module, handle: i32, budget: i32) -> i64 {
        packed(guest(module).poll(handle, budget))
    }

    pub fn ack(module: fn() -> Module, handle: i32, p: *const u8, n: u32) -> i32 {
        guest(module).ack(handle, bytes(p, n))
    }

    pub fn flush(module: fn() -> Module, handle: i32, epoch: i64) -> i64 {
        packed(guest(module).flush(handle, epoch))
    }

    pub fn close(module: fn() -> Module, handle: i32) -> i32 {
        guest(module).close(handle)
    }
}

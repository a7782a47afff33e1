//! The layout of frames and records, as in abi/SPEC.md. Frames come from the host, which is trusted: they are read
//! without checks of bounds.

pub const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"WSB1");
pub const OPEN_MAGIC: u32 = u32::from_le_bytes(*b"WSO1");
pub const FRAME_HEADER: usize = 64;
pub const RECORD_HEADER: usize = 48;
/// Of records with arguments.
pub const CALL_HEADER: usize = 56;
pub const PAIR_HEADER: usize = 8;

pub const NULL: u32 = u32::MAX;
pub const NO_INDEX: u32 = u32::MAX;

pub const KEEP_KEY: u8 = 1;
pub const KEEP_VALUE: u8 = 2;
pub const KEEP_HEADERS: u8 = 4;
pub const KEEP_TIMESTAMP: u8 = 8;
/// In answers of plugins of Connect.
pub const KEEP_PLACE: u8 = 16;
pub const KEEP_ALL: u8 = 15;

pub const KIND_RECORD: u8 = 0;
pub const KIND_ERROR: u8 = 1;

pub const FRAME_HAS_AUX: u32 = 4;
pub const FRAME_HAS_ARGS: u32 = 8;

pub const FRAME_LEN_AT: usize = 8;
pub const FRAME_COUNT_AT: usize = 12;
pub const FRAME_FLAGS_AT: usize = 16;
pub const FRAME_AUX_OFF_AT: usize = 20;
pub const FRAME_AUX_LEN_AT: usize = 24;
pub const FRAME_PARTITION_AT: usize = 32;
pub const FRAME_TIME_AT: usize = 40;
pub const REC_KEY_LEN_AT: usize = 4;
pub const REC_VALUE_LEN_AT: usize = 8;
pub const REC_HEADERS_LEN_AT: usize = 12;
pub const REC_TIMESTAMP_AT: usize = 16;
pub const REC_OFFSET_AT: usize = 24;
pub const REC_INDEX_AT: usize = 32;
pub const REC_HEADER_COUNT_AT: usize = 36;
pub const REC_DEST_AT: usize = 40;
pub const REC_PARTITION_AT: usize = 44;
pub const REC_SECOND_LEN_AT: usize = 48;
pub const REC_THIRD_LEN_AT: usize = 52;

/// Rounds up to a multiple of 8.
pub const fn pad8(n: usize) -> usize {
    (n + 7) & !7
}

/// # Safety
/// `at .. at + 4` lies in the memory behind `p`.
pub unsafe fn load32(p: *const u8, at: usize) -> u32 {
    u32::from_le(unsafe { p.add(at).cast::<u32>().read_unaligned() })
}

/// # Safety
/// `at .. at + 8` lies in the memory behind `p`.
pub unsafe fn load64(p: *const u8, at: usize) -> u64 {
    u64::from_le(unsafe { p.add(at).cast::<u64>().read_unaligned() })
}

/// # Safety
/// `at .. at + 8` lies in the memory behind `p`.
pub unsafe fn store64(p: *mut u8, at: usize, v: u64) {
    unsafe { p.add(at).cast::<u64>().write_unaligned(v.to_le()) }
}

/// The length as it stands in a header.
pub fn len_of(part: Option<&[u8]>) -> u32 {
    part.map_or(NULL, |b| b.len() as u32)
}

/// Appends a pair: two lengths, key, value, zeros up to a multiple of 8.
pub fn append_pair(dst: &mut alloc::vec::Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    dst.extend_from_slice(&(key.len() as u32).to_le_bytes());
    dst.extend_from_slice(&len_of(value).to_le_bytes());
    dst.extend_from_slice(key);
    let value = value.unwrap_or_default();
    dst.extend_from_slice(value);
    let n = key.len() + value.len();
    dst.extend_from_slice(&[0; 8][..pad8(n) - n]);
}

/// A key and a value that may be null.
pub type Pair<'a> = (&'a [u8], Option<&'a [u8]>);

/// Cuts the first pair off `block`; `None` at its end.
pub fn next_pair<'a>(block: &mut &'a [u8]) -> Option<Pair<'a>> {
    let (head, rest) = block.split_at_checked(PAIR_HEADER)?;
    let klen = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let vlen = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let (key, rest) = rest.split_at_checked(klen)?;
    let n = if vlen == NULL { 0 } else { vlen as usize };
    let value = rest.get(..n)?;
    *block = rest.get(n + pad8(klen + n) - klen - n..)?;
    Some((key, (vlen != NULL).then_some(value)))
}

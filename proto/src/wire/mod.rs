//! Generated from `proto/matching/v1`. Wire structs are parsed at the door and never travel inward.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, rustdoc::all)]

include!("matching.v1.rs");

/// The serialised descriptor set, for the reflection service.
pub const DESCRIPTOR: &[u8] = include_bytes!("descriptor.bin");

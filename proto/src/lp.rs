//! Length-prefixed encoding, `lp(b) = u32be(len) || b` (PROTOCOL.md section 1), for bytes that are
//! hashed, signed or authenticated.

use zeroize::Zeroizing;

/// Bytes under construction; wiped when dropped, since some of them are secrets.
#[derive(Default)]
pub struct LengthPrefixed(Zeroizing<Vec<u8>>);

impl LengthPrefixed {
    /// Nothing yet. The room is enough for every fixed derivation, so that no copy stays behind.
    pub fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(512)))
    }

    /// Appends `lp(bytes)`.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("no field comes near 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a fixed-width number, big-endian.
    #[must_use]
    pub fn number(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Appends a fixed-width number of eight bytes, big-endian.
    #[must_use]
    pub fn long_number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Appends one byte.
    #[must_use]
    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

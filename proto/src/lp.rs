//! Length-prefixed encoding, `lp(b) = u32be(len) || b` (PROTOCOL.md section 1), for bytes that are
//! hashed, signed or authenticated; and reading it.

use zeroize::Zeroizing;

/// Bytes under construction; wiped when dropped, since some of them are secrets.
#[derive(Default)]
pub struct LengthPrefixed(Zeroizing<Vec<u8>>);

impl LengthPrefixed {
    /// Nothing yet. The room is enough for every fixed derivation, so that no copy stays behind.
    pub fn new() -> Self {
        Self::with_room(512)
    }

    /// Nothing yet, with room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
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

/// Bytes of that encoding, read from their beginning; nothing where they are too short.
pub struct LengthPrefixedReader<'a>(&'a [u8]);

impl<'a> LengthPrefixedReader<'a> {
    /// At the beginning of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `lp(bytes)`.
    pub fn field(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// The next number of four bytes.
    pub fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next number of eight bytes.
    pub fn long_number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// What was not read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}

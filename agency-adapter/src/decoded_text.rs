//! A file's bytes as UTF-8, decoded while they are read.
//!
//! Undecodable bytes become U+FFFD, which `csv_source` refuses with the row that holds it.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, GB18030, UTF_8};

use crate::dataset_config::Encoding;

const CHUNK: usize = 1 << 16;

/// More than this between the ends of two rows is a quote that never closes.
const LONGEST_ROW: u64 = 1 << 20;

/// UTF-8 with a line end at its end, whatever the file has there.
pub(crate) struct DecodedText<R> {
    bytes: R,
    decoder: Decoder,
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    read: u64,
    since_row: u64,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Reading,
    Draining,
    LineEnd,
    Done,
}

impl<R: Read> DecodedText<R> {
    /// Begins to read.
    pub(crate) fn new(bytes: R, encoding: Encoding) -> io::Result<Self> {
        let encoding = match encoding {
            Encoding::Utf8 => UTF_8,
            Encoding::Gb18030 => GB18030,
        };
        let mut text = Self {
            bytes,
            decoder: encoding.new_decoder_without_bom_handling(),
            chunk: vec![0; CHUNK].into(),
            start: 0,
            end: 0,
            read: 0,
            since_row: 0,
            state: State::Reading,
        };
        text.fill()?;
        Ok(text)
    }

    /// Skips a byte order mark that fits the declared encoding, as long as nothing has been read.
    ///
    /// # Errors
    /// The encoding of a mark that contradicts it.
    pub(crate) fn skip_mark(&mut self, encoding: Encoding) -> Result<(), &'static str> {
        const UTF_8: &[u8] = b"\xef\xbb\xbf";
        const GB18030: &[u8] = b"\x84\x31\x95\x33";
        let beginning = &self.chunk[self.start..self.end];
        if beginning.starts_with(b"\xff\xfe") || beginning.starts_with(b"\xfe\xff") {
            return Err("utf-16");
        }
        let own: &[u8] = match encoding {
            Encoding::Utf8 if beginning.starts_with(GB18030) => return Err("gb18030"),
            Encoding::Gb18030 if beginning.starts_with(UTF_8) => return Err("utf-8"),
            Encoding::Utf8 => UTF_8,
            Encoding::Gb18030 => GB18030,
        };
        if beginning.starts_with(own) {
            self.start += own.len();
        }
        Ok(())
    }

    /// Where the bytes come from.
    pub(crate) fn source(&self) -> &R {
        &self.bytes
    }

    /// How much of the file has been read, in bytes.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Marks the end of a row, unless reading was given up in it.
    pub(crate) fn row_ended(&mut self) {
        if !self.has_endless_row() {
            self.since_row = 0;
        }
    }

    /// Whether reading was given up because a row does not end.
    pub(crate) fn has_endless_row(&self) -> bool {
        self.since_row > LONGEST_ROW
    }

    fn fill(&mut self) -> io::Result<()> {
        self.start = 0;
        self.end = self.bytes.read(&mut self.chunk)?;
        self.read += self.end as u64;
        if self.end == 0 {
            self.state = State::Draining;
        }
        Ok(())
    }
}

impl<R: Read> Read for DecodedText<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.has_endless_row() {
            return Err(io::Error::other("a row does not end"));
        }
        loop {
            match self.state {
                State::Done => return Ok(0),
                State::LineEnd => {
                    let Some(place) = out.first_mut() else { return Ok(0) };
                    *place = b'\n';
                    self.state = State::Done;
                    return Ok(1);
                }
                State::Reading if self.start == self.end => self.fill()?,
                State::Reading | State::Draining => {}
            }
            let last = self.state == State::Draining;
            let input = &self.chunk[self.start..self.end];
            let (result, read, written, _) = self.decoder.decode_to_utf8(input, out, last);
            self.start += read;
            self.since_row += written as u64;
            if last && result == CoderResult::InputEmpty {
                self.state = State::LineEnd;
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], encoding: Encoding) -> String {
        let mut text = String::new();
        let mut decoded = DecodedText::new(bytes, encoding).expect("readable");
        decoded.read_to_string(&mut text).expect("UTF-8");
        text
    }

    #[test]
    fn gb18030_of_two_and_four_bytes_is_decoded_also_across_chunks() {
        let text = "身份证号𠀀".repeat(20_000);
        let (bytes, ..) = GB18030.encode(&text);
        assert_eq!(decoded(&bytes, Encoding::Gb18030), format!("{text}\n"));
    }

    #[test]
    fn an_undecodable_byte_spoils_nothing_after_it() {
        assert_eq!(decoded(b"a\xff,b\n", Encoding::Gb18030), "a\u{fffd},b\n\n");
        assert_eq!(decoded(b"a\xd6\n\xd6\xd0", Encoding::Utf8), "a\u{fffd}\n\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn a_file_that_ends_in_the_middle_of_a_character_is_marked() {
        assert_eq!(decoded(b"\xd6", Encoding::Gb18030), "\u{fffd}\n");
        assert_eq!(decoded(b"", Encoding::Utf8), "\n");
    }
}

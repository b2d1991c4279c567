//! The rows of a delimited text file, with the numbers by which people find them in a spreadsheet.
//!
//! Owns the header, the row numbers and the refusal of rows that are damaged as a whole. Memory is
//! bounded by one row. What cells mean is the caller's business.

use std::{fs::File, io, path::Path, time::SystemTime};

use csv::StringRecord;

use crate::{
    clean_text::unwrapped, csv_header::Header, dataset_config::Encoding, decoded_text::DecodedText,
    identifier::Certificate, load_error::LoadError, reject::Reject,
};

/// The column name that stands for a disability certificate's category.
pub(crate) const CERTIFICATE_KIND: &str = "@certificate.kind";
/// The column name that stands for a disability certificate's level.
pub(crate) const CERTIFICATE_LEVEL: &str = "@certificate.level";

const BUFFER: usize = 1 << 16;

/// Where a cell's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Cell(usize),
    CertificateKind,
    CertificateLevel,
}

/// One row and what its identifier said besides.
pub(crate) struct Row<'a> {
    record: &'a StringRecord,
    certificate: Option<Certificate>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(record: &'a StringRecord, certificate: Option<Certificate>) -> Self {
        Self { record, certificate }
    }

    /// The text of a cell, without what is around it; empty where there is none.
    pub(crate) fn text(&self, column: Column) -> &'a str {
        const DIGITS: [&str; 8] = ["", "1", "2", "3", "4", "5", "6", "7"];
        let digit = |of: fn(Certificate) -> u8| {
            self.certificate.map_or("", |certificate| DIGITS[usize::from(of(certificate))])
        };
        match column {
            Column::Cell(index) => unwrapped(self.record.get(index).unwrap_or_default()),
            Column::CertificateKind => digit(|certificate| certificate.kind),
            Column::CertificateLevel => digit(|certificate| certificate.level),
        }
    }
}

/// What comes next in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The row of this number is in [`CsvSource::record`].
    Row(u64),
    /// So many rows from this number on cannot be used.
    Refused { first: u64, rows: u64, reject: Reject },
    /// Nothing.
    End,
}

/// An open file.
pub(crate) struct CsvSource<'a> {
    file: &'a Path,
    size: u64,
    modified: Option<SystemTime>,
    delimiter: char,
    reader: csv::Reader<DecodedText<File>>,
    record: StringRecord,
    header: Header,
    /// Rows that a stray quote made part of the current one: from which number on, and how many.
    swallowed: Option<(u64, u64)>,
    /// Line ends inside cells so far: a spreadsheet shows such lines as one row.
    folded: u64,
}

impl<'a> CsvSource<'a> {
    /// Opens the file and reads its header, in which all `needed` columns must be.
    pub(crate) fn open(
        file: &'a Path,
        encoding: Encoding,
        delimiter: char,
        needed: &[String],
    ) -> Result<Self, LoadError> {
        let unreadable = |cause| LoadError::Unreadable { file: file.into(), cause };
        let opened = File::open(file).map_err(unreadable)?;
        let metadata = opened.metadata().map_err(unreadable)?;
        let mut text = DecodedText::new(opened, encoding).map_err(unreadable)?;
        text.skip_mark(encoding)
            .map_err(|found| LoadError::OtherEncoding { file: file.into(), found })?;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(u8::try_from(delimiter).expect("checked to be ASCII"))
            // Not CRLF: line numbers would lag by one. The CR is trimmed off with the blanks.
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER)
            .from_reader(text);
        let mut source = Self {
            file,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            delimiter,
            reader,
            record: StringRecord::new(),
            header: Header::default(),
            swallowed: None,
            folded: 0,
        };
        source.read_header(needed)?;
        Ok(source)
    }

    /// The file's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How much of the file has been read, in bytes.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.reader.get_ref().bytes_read()
    }

    /// Checks, after the last row, that nobody wrote to the file while it was read: what was not there
    /// yet would count as gone.
    pub(crate) fn check_unchanged(&self) -> Result<(), LoadError> {
        let now = self.reader.get_ref().source().metadata();
        let now = now.map_err(|cause| LoadError::Unreadable { file: self.file.into(), cause })?;
        if (now.len(), now.modified().ok()) == (self.size, self.modified) {
            Ok(())
        } else {
            Err(LoadError::Changed { file: self.file.into() })
        }
    }

    /// Every text in the current row, wherever the borders between its cells should have been.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let border = |c: char| matches!(c, '\n' | '"') || c == self.delimiter;
        self.record.iter().flat_map(move |cell| cell.split(border)).map(str::trim)
    }

    /// The current row.
    pub(crate) fn record(&self) -> &StringRecord {
        &self.record
    }

    /// Where a needed column is.
    pub(crate) fn column(&self, name: &str) -> Column {
        match name {
            CERTIFICATE_KIND => Column::CertificateKind,
            CERTIFICATE_LEVEL => Column::CertificateLevel,
            name => {
                let place = self.header.place(name);
                Column::Cell(place.expect("needed columns were checked to be there"))
            }
        }
    }

    /// Goes on to the next row that is not blank.
    pub(crate) fn next(&mut self) -> Result<Next, LoadError> {
        if let Some((first, rows)) = self.swallowed.take() {
            return Ok(Next::Refused { first, rows, reject: Reject::Columns });
        }
        let (first, lines) = loop {
            if !self.read_record()? {
                return Ok(Next::End);
            }
            let bytes = self.record.as_slice().bytes();
            let folded = bytes.filter(|&byte| byte == b'\n').count() as u64;
            // The line after the row, less the row's own line end, less what is folded into it.
            let first = self.reader.position().line() - 1 - folded - self.folded;
            if !self.is_blank() {
                break (first, folded + 1);
            }
        };
        if self.record.len() != self.header.width() {
            // A stray quote may have swallowed rows: each of its lines is counted.
            return Ok(Next::Refused { first, rows: lines, reject: Reject::Columns });
        }
        if lines > 1 && self.holds_rows() {
            self.swallowed = Some((first + 1, lines - 1));
        } else {
            self.folded += lines - 1;
        }
        if self.record.as_slice().contains(char::REPLACEMENT_CHARACTER) {
            return Ok(Next::Refused { first, rows: 1, reject: Reject::Encoding });
        }
        Ok(Next::Row(first))
    }

    fn read_record(&mut self) -> Result<bool, LoadError> {
        let read = self.reader.read_record(&mut self.record);
        self.reader.get_mut().row_ended();
        read.map_err(|error| {
            let file = self.file.into();
            if self.reader.get_ref().has_endless_row() {
                let row = self.record.position().map_or(0, csv::Position::line) - self.folded;
                return LoadError::EndlessRow { file, row };
            }
            let cause = match error.into_kind() {
                csv::ErrorKind::Io(cause) => cause,
                _ => io::Error::from(io::ErrorKind::InvalidData),
            };
            LoadError::Unreadable { file, cause }
        })
    }

    /// Whether a cell has a line with as many delimiters as a row has: two stray quotes that happen to
    /// leave the number of cells right.
    fn holds_rows(&self) -> bool {
        let borders = self.header.width() - 1;
        let is_row = |line: &str| borders > 0 && line.matches(self.delimiter).count() >= borders;
        self.record.iter().any(|cell| cell.split('\n').skip(1).any(is_row))
    }

    fn is_blank(&self) -> bool {
        self.record.len() == 1
            && self.header.width() != 1
            && self.record.as_slice().trim().is_empty()
    }

    fn read_header(&mut self, needed: &[String]) -> Result<(), LoadError> {
        loop {
            if !self.read_record()? {
                return Err(LoadError::Empty { file: self.file.into() });
            }
            if !self.record.as_slice().trim().is_empty() {
                break;
            }
        }
        self.folded = self.record.as_slice().bytes().filter(|&byte| byte == b'\n').count() as u64;
        self.header = Header::new(self.file, &self.record, needed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn needed() -> Vec<String> {
        vec!["id".into(), "用途".into()]
    }

    fn with_source<T>(
        bytes: &[u8],
        encoding: Encoding,
        look: impl FnOnce(Result<CsvSource<'_>, LoadError>) -> T,
    ) -> T {
        let directory = tempfile::tempdir().expect("a directory");
        let file: PathBuf = directory.path().join("rows.csv");
        std::fs::write(&file, bytes).expect("writable");
        look(CsvSource::open(&file, encoding, ',', &needed()))
    }

    /// What the file has, with the row's identifier.
    fn rows(bytes: &[u8], encoding: Encoding) -> Vec<(Next, String)> {
        with_source(bytes, encoding, |source| {
            let mut source = source.expect("a good file");
            let id = source.column("id");
            let mut rows = vec![];
            loop {
                match source.next().expect("readable") {
                    Next::End => return rows,
                    next @ Next::Row(_) => {
                        rows.push((next, Row::new(source.record(), None).text(id).to_owned()));
                    }
                    next => rows.push((next, String::new())),
                }
            }
        })
    }

    fn error(bytes: &[u8], encoding: Encoding) -> String {
        with_source(bytes, encoding, |source| source.err().expect("an error").to_string())
    }

    fn row(number: u64, id: &str) -> (Next, String) {
        (Next::Row(number), id.into())
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_does() {
        for end in ["\n", "\r\n"] {
            let text = "id,用途\na,1\n\nb,\"two\nlines\"\nc,3\n\n\nd,4".replace('\n', end);
            let found = rows(text.as_bytes(), Encoding::Utf8);
            assert_eq!(found, [row(2, "a"), row(4, "b"), row(5, "c"), row(8, "d")], "{end:?}");
        }
    }

    #[test]
    fn a_mark_at_the_beginning_and_blanks_around_names_are_no_part_of_the_header() {
        let found = rows("\u{feff} id ,用途\r\na,1\r\n".as_bytes(), Encoding::Utf8);
        assert_eq!(found, [row(2, "a")]);
        let (bytes, ..) = encoding_rs::GB18030.encode("id,用途\na,1\n");
        let marked = [b"\x84\x31\x95\x33", &*bytes].concat();
        assert_eq!(rows(&marked, Encoding::Gb18030), [row(2, "a")]);
    }

    #[test]
    fn rows_with_other_columns_or_bytes_are_refused_and_the_next_are_read() {
        let (mut bytes, ..) = encoding_rs::GB18030.encode("id,用途\na,1,2\nb\nc,3\n");
        bytes.to_mut().extend_from_slice(b"d,\xff\ne,5\n");
        let refused = |first, reject| (Next::Refused { first, rows: 1, reject }, String::new());
        assert_eq!(
            rows(&bytes, Encoding::Gb18030),
            [
                refused(2, Reject::Columns),
                refused(3, Reject::Columns),
                row(4, "c"),
                refused(5, Reject::Encoding),
                row(6, "e"),
            ]
        );
    }

    #[test]
    fn rows_that_a_stray_quote_swallows_are_counted() {
        let found =
            rows(b"id,\xe7\x94\xa8\xe9\x80\x94\n\"a,1\nb,2\nc\",3,4\nd,4\n", Encoding::Utf8);
        let swallowed = Next::Refused { first: 2, rows: 3, reject: Reject::Columns };
        assert_eq!(found, [(swallowed, String::new()), row(5, "d")]);
    }

    #[test]
    fn rows_that_two_stray_quotes_make_part_of_a_cell_are_counted() {
        let found =
            rows("id,用途\na,\"1\nb,2\nc,3\"\nd,\"4\n5\"\ne,6\n".as_bytes(), Encoding::Utf8);
        let swallowed = Next::Refused { first: 3, rows: 2, reject: Reject::Columns };
        assert_eq!(found, [row(2, "a"), (swallowed, String::new()), row(5, "d"), row(6, "e")]);
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_read_is_not_used() {
        let directory = tempfile::tempdir().expect("a directory");
        let file: PathBuf = directory.path().join("rows.csv");
        std::fs::write(&file, "id,用途\na,1\n").expect("writable");
        let source = CsvSource::open(&file, Encoding::Utf8, ',', &needed()).expect("good");
        assert!(source.check_unchanged().is_ok());
        std::fs::write(&file, "id,用途\na,1\nb,2\n").expect("writable");
        let text = source.check_unchanged().expect_err("changed").to_string();
        assert!(text.contains("under another name"), "{text}");
    }

    #[test]
    fn a_quote_that_never_closes_is_an_error_with_its_row() {
        let mut text = "id,用途\na,1\nb,\"2\n".to_owned();
        text.push_str(&"c,3\n".repeat(1 << 19));
        with_source(text.as_bytes(), Encoding::Utf8, |source| {
            let mut source = source.expect("a good header");
            assert_eq!(source.next().expect("a row"), Next::Row(2));
            let error = source.next().expect_err("an error").to_string();
            assert!(error.contains("after row 3 that never closes"), "{error}");
        });
    }

    #[test]
    fn missing_columns_are_listed_with_those_found() {
        let text = error("id,姓名,电话\n".as_bytes(), Encoding::Utf8);
        assert!(text.contains("lacks the columns 用途; it has id, 姓名, 电话"), "{text}");
        assert!(error("id,用途,id\n".as_bytes(), Encoding::Utf8).contains("more than once"));
        assert!(error(b"", Encoding::Utf8).contains("is empty"));
        assert!(error(b"\n\n", Encoding::Utf8).contains("is empty"));
    }

    #[test]
    fn a_first_row_that_is_no_header_is_not_shown() {
        let text = error("320102198001010016,张三\n".as_bytes(), Encoding::Utf8);
        assert!(text.contains("none of the needed columns (id, 用途)"), "{text}");
        assert!(!text.contains("3201") && !text.contains('张'), "{text}");
    }

    #[test]
    fn a_mark_that_contradicts_the_declared_encoding_is_refused() {
        let text = error("\u{feff}id,用途\n".as_bytes(), Encoding::Gb18030);
        assert!(text.contains("Set `encoding = \"utf-8\"`"), "{text}");
        let text = error(b"\xff\xfei\0d\0", Encoding::Utf8);
        assert!(text.contains("Save the file as UTF-8"), "{text}");
        assert!(error(b"\x84\x31\x95\x33id,x", Encoding::Utf8).contains("gb18030"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_what_to_check() {
        let missing = Path::new("no/such.csv");
        let opened = CsvSource::open(missing, Encoding::Utf8, ',', &needed());
        let text = opened.err().expect("an error").to_string();
        assert!(text.contains("no/such.csv") && text.contains("Check `csv`"), "{text}");
    }
}

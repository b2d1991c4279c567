//! The header of a delimited text file: which column is where.
//!
//! What stands in the place of a header may be somebody's data. Names are shown only where they have
//! proved to be names.

use std::path::Path;

use csv::StringRecord;

use crate::load_error::LoadError;

/// The names of a file's columns, in order.
#[derive(Default)]
pub(crate) struct Header(Vec<String>);

impl Header {
    /// A file's first row as its header, in which all `needed` columns must be, once each.
    pub(crate) fn new(
        file: &Path,
        first_row: &StringRecord,
        needed: &[String],
    ) -> Result<Self, LoadError> {
        let name = |cell: &str| cell.trim().trim_matches('\u{feff}').to_owned();
        let names: Vec<String> = first_row.iter().map(name).collect();
        if names.iter().any(|name| has_lone_carriage_return(name)) {
            // All rows would be read as one header, and nobody would be listed.
            return Err(LoadError::LineEnds { file: file.into() });
        }
        let count = |name: &String| names.iter().filter(|found| *found == name).count();
        let missing: Vec<_> = needed.iter().filter(|name| count(name) == 0).cloned().collect();
        if !missing.is_empty() {
            // A stray quote makes a cell of the header out of rows: it is not shown either.
            let holds_rows = names.iter().any(|name| name.contains('\n'));
            return Err(if missing.len() == needed.len() || holds_rows {
                LoadError::NoHeader { file: file.into(), needed: missing }
            } else {
                LoadError::MissingColumns { file: file.into(), missing, found: names }
            });
        }
        match needed.iter().find(|name| count(name) > 1) {
            Some(name) => Err(LoadError::ColumnTwice { file: file.into(), column: name.clone() }),
            None => Ok(Self(names)),
        }
    }

    /// How many cells a row must have.
    pub(crate) fn width(&self) -> usize {
        self.0.len()
    }

    /// Where the column of this name is.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|found| found == name)
    }
}

fn has_lone_carriage_return(name: &str) -> bool {
    let mut rest = name;
    while let Some((_, after)) = rest.split_once('\r') {
        if !after.starts_with('\n') {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cells: &[&str]) -> String {
        let needed = ["id".to_owned(), "用途".to_owned()];
        let header = Header::new(Path::new("rows.csv"), &StringRecord::from(cells), &needed);
        header.err().expect("refused").to_string()
    }

    #[test]
    fn a_file_with_old_line_ends_is_refused_and_nothing_of_it_is_shown() {
        let text = refusal(&["id", "用途\r320199198001010011", "张三\r320199198001010038", "李四"]);
        assert!(text.contains("line ends"), "{text}");
        assert!(!text.contains("3201") && !text.contains('张') && !text.contains('李'), "{text}");
    }

    #[test]
    fn rows_that_a_stray_quote_put_into_the_header_are_not_shown() {
        let text = refusal(&["id", "备注\n320199198001010011,张三", "李四"]);
        assert!(text.contains("用途"), "{text}");
        assert!(!text.contains("3201") && !text.contains('张') && !text.contains('李'), "{text}");
    }

    #[test]
    fn a_name_of_two_lines_is_a_name() {
        let cells = StringRecord::from(vec!["身份\r\n证号", "id\n"]);
        let header = Header::new(Path::new("rows.csv"), &cells, &["id".to_owned()]);
        assert_eq!(header.ok().and_then(|header| header.place("id")), Some(1));
    }
}

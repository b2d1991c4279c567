//! One person's contact details, read from the source as it is now.
//!
//! The file is read again for every disclosure: nothing of it is kept in memory or anywhere else. Who the
//! person is, is the caller's question.

use std::path::Path;

use jiff::civil::Date;
use proto::contact::{Contact, ContactField, MAX_TEXT};
use zeroize::Zeroizing;

use super::{policy::DisclosurePolicy, refused::Refused};
use crate::{
    clean_text::{CleanText, stands_for_nothing},
    condition::Condition,
    csv_source::{Column, CsvSource, Next, Row},
    dataset_config::DatasetConfig,
    identifier::Identifier,
    load_error::LoadError,
    loading::canonical,
};

/// So many different texts of one field are told.
const MOST_OF_A_FIELD: usize = 4;

/// What the source says of a person.
pub(super) struct Person {
    /// Of the fields that were asked for.
    pub contact: Contact,
    /// Whether any row of the person is marked.
    pub vulnerable: bool,
}

/// Where to look, and for what.
pub(super) struct Search<'s> {
    pub dataset: &'s DatasetConfig,
    pub policy: &'s DisclosurePolicy,
    pub directory: &'s Path,
    pub today: Date,
    pub fields: &'s [ContactField],
}

/// What was found so far.
#[derive(Default)]
struct Finding {
    rows: u64,
    vulnerable: bool,
    texts: Vec<(ContactField, Zeroizing<String>)>,
}

impl Search<'_> {
    /// The person whom `is` recognises; nobody, where no row is about such a person.
    pub(super) fn run(&self, is: &dyn Fn(&Identifier) -> bool) -> Result<Option<Person>, Refused> {
        let identifier = &self.dataset.identifier;
        let mut needed = self.policy.headers();
        needed.push(identifier.column.clone());
        needed.extend(identifier.country_column.clone());
        let file = self.directory.join(&self.dataset.csv);
        let mut source =
            CsvSource::open(&file, self.dataset.encoding, self.dataset.delimiter, &needed)?;
        let number = source.column(&identifier.column);
        let country = identifier.country_column.as_ref().map(|name| source.column(name));
        let vulnerable = self.policy.vulnerable(self.today, &mut |name| source.column(name));
        let vulnerable = vulnerable.expect("checked with the configuration");
        let columns: Vec<(ContactField, Column)> = self
            .policy
            .columns
            .iter()
            .filter(|(field, _)| self.fields.contains(field))
            .map(|(field, name)| (*field, source.column(name)))
            .collect();
        let mut finding = Finding::default();
        loop {
            match source.next()? {
                Next::Row(_) => {}
                Next::Refused { .. } => continue,
                Next::End => break,
            }
            let row = Row::new(source.record(), None);
            let country = country.map(|column| row.text(column));
            let found = CleanText::new(row.text(number))
                .and_then(|text| canonical(identifier, country, text, self.today));
            if let Ok(found) = found
                && is(&found.identifier)
            {
                let row = Row::new(source.record(), found.certificate);
                finding.take(&row, &columns, vulnerable.as_ref())?;
            }
        }
        source.check_unchanged()?;
        finding.finish()
    }
}

impl Finding {
    fn take(
        &mut self,
        row: &Row<'_>,
        columns: &[(ContactField, Column)],
        vulnerable: Option<&Condition>,
    ) -> Result<(), Refused> {
        self.rows += 1;
        self.vulnerable |= vulnerable.is_some_and(|mark| mark.holds(row) == Some(true));
        for (field, column) in columns {
            let cell = row.text(*column);
            if stands_for_nothing(cell) {
                continue;
            }
            let plain = cell.chars().map(|c| if c.is_control() { ' ' } else { c });
            let text: Zeroizing<String> = Zeroizing::new(plain.collect());
            if text.len() > MAX_TEXT {
                return Err(Refused::TooLong);
            }
            let of_field = self.texts.iter().filter(|(other, _)| other == field);
            let known = of_field.clone().any(|(_, other)| *other == text);
            if !known && of_field.count() < MOST_OF_A_FIELD {
                self.texts.push((*field, text));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Option<Person>, Refused> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.texts.sort_by_key(|(field, _)| *field);
        let contact = Contact::new(self.texts).map_err(|_| Refused::TooLong)?;
        Ok(Some(Person { contact, vulnerable: self.vulnerable }))
    }
}

/// Whether the file has the columns that a policy needs; for `doctor`.
pub(super) fn has_columns(
    dataset: &DatasetConfig,
    policy: &DisclosurePolicy,
    directory: &Path,
) -> Result<(), LoadError> {
    let file = directory.join(&dataset.csv);
    CsvSource::open(&file, dataset.encoding, dataset.delimiter, &policy.headers()).map(drop)
}

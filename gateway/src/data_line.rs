//! One data line as far as it could be opened: for subjects, and for members of their households.
//!
//! Owns the step from a sealed row to what is known of a person. Whose rows are read when is `base`'s.

use jiff::Timestamp;
use proto::{
    household::Household,
    person_secret::{LookupTag, PersonSecret},
    schema::{DatasetSchema, HouseholdSchema},
    scope::Scope,
    sealed_row::{RowNonce, RowSealer},
};
use zeroize::Zeroizing;

use crate::{
    people::{People, Tagged},
    rows::{RowReader, RowsError},
    secrets::TOGETHER,
};

/// The data line.
pub struct DataLine {
    /// When the source of the rows that were opened was last read; absent where there are none.
    pub as_of: Option<Timestamp>,
    /// What is known of subjects.
    pub subjects: People,
    /// What is known of household members; empty where household rules do not read this line.
    pub members: People,
    opener: Opener,
}

/// A row of the household dataset that was opened, or found missing or unreadable.
pub type OpenedHousehold = (u32, Option<Household>);

/// Opens rows of one dataset.
struct Opener {
    sealer: RowSealer,
    flags: usize,
    household: Option<HouseholdSchema>,
}

impl DataLine {
    /// A line of which nothing was read yet.
    pub fn new(scope: &Scope, schema: &DatasetSchema) -> Self {
        Self {
            as_of: None,
            subjects: People::new(schema),
            members: People::new(schema),
            opener: Opener {
                sealer: RowSealer::new(scope, &schema.dataset),
                flags: schema.flags.len(),
                household: schema.household.clone(),
            },
        }
    }

    /// Whether its rows hold households.
    pub fn has_households(&self) -> bool {
        self.opener.household.is_some()
    }

    /// Reads subjects' rows again. Returns the households found where this is the household
    /// dataset.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn reopen_subjects(
        &mut self,
        people: &[(LookupTag, u32)],
        reader: &RowReader,
    ) -> Result<Vec<OpenedHousehold>, RowsError> {
        self.opener.read(&mut self.subjects, people, reader)
    }

    /// Reads household members' rows again.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn reopen_members(&mut self, people: &Tagged, reader: &RowReader) -> Result<(), RowsError> {
        self.opener.read(&mut self.members, people, reader).map(drop)
    }

    /// Takes the capability to open subjects' rows away; the households that go with it, where this is
    /// the household dataset.
    pub fn withdraw_subjects(
        &mut self,
        subjects: impl Iterator<Item = u32>,
    ) -> Vec<OpenedHousehold> {
        let lost = subjects.filter(|&number| self.subjects.withdraw(number));
        let lost: Vec<OpenedHousehold> = lost.map(|number| (number, None)).collect();
        if self.has_households() { lost } else { vec![] }
    }
}

impl Opener {
    fn read(
        &self,
        people: &mut People,
        wanted: &[(LookupTag, u32)],
        reader: &RowReader,
    ) -> Result<Vec<OpenedHousehold>, RowsError> {
        let mut lookups = reader.in_tag_order();
        let mut households = vec![];
        // Opened in place, so a household's secrets are in it; rows are of one width, so it never moves.
        let mut row = Zeroizing::new(vec![]);
        for wanted in wanted.chunks(TOGETHER) {
            let secrets = people.secrets().of(wanted.iter().map(|&(_, number)| number));
            for (&(tag, number), secret) in wanted.iter().zip(secrets) {
                let Some(secret) = secret else { continue };
                row.clear();
                row.extend_from_slice(lookups.seek(tag)?.unwrap_or_default());
                let household = self.note(people, number, (&secret, tag), &mut row);
                if self.household.is_some() {
                    households.push((number, household));
                }
            }
        }
        Ok(households)
    }

    /// Notes what a row says, or that there is none, or that it does not open.
    fn note(
        &self,
        people: &mut People,
        number: u32,
        (secret, tag): (&PersonSecret, LookupTag),
        row: &mut [u8],
    ) -> Option<Household> {
        if row.is_empty() {
            people.note(number, None);
            return None;
        }
        let opened = self.open(secret, tag, row);
        let noted = opened
            .and_then(|(flags, household)| people.note(number, Some(flags)).then_some(household));
        noted.unwrap_or_else(|| {
            people.note_unopenable(number);
            None
        })
    }

    fn open<'r>(
        &self,
        secret: &PersonSecret,
        tag: LookupTag,
        sealed: &'r mut [u8],
    ) -> Option<(&'r [u8], Option<Household>)> {
        let (nonce, ciphertext) = sealed.split_first_chunk_mut::<12>()?;
        let row = self.sealer.open(&secret.seal_key(), tag, RowNonce(*nonce), ciphertext).ok()?;
        let (flags, rest) = row.split_at_checked(self.flags)?;
        let household = match &self.household {
            Some(schema) => Some(schema.decode(rest).ok()?),
            None => None,
        };
        Some((flags, household))
    }
}

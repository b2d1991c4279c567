//! One data line as far as it could be opened: for subjects, and for members of their households.
//!
//! Owns the person secrets that open its rows, in memory only, and the columns that rules read.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use proto::{
    household::Household,
    person_secret::{LookupTag, PersonSecret},
    schema::{DatasetSchema, FlagSchema, HouseholdSchema},
    scope::Scope,
    sealed_row::{RowNonce, RowSealer},
};
use zeroize::Zeroizing;

use crate::{
    columns::DatasetColumns,
    rows::{Changed, RowReader, RowsError},
};

/// The data line.
pub struct DataLine {
    /// When the source of the rows that were opened was last read; absent where there are none.
    pub as_of: Option<Timestamp>,
    /// What is known of subjects.
    pub subjects: People,
    /// What is known of household members; empty where household rules do not read this line.
    pub members: People,
    sealer: RowSealer,
    flags: Vec<FlagSchema>,
    household: Option<HouseholdSchema>,
}

/// One kind of people: those whom secrets were released for, and what their rows say.
pub struct People {
    /// Flags by number.
    pub columns: DatasetColumns,
    secrets: Vec<Option<PersonSecret>>,
    numbers: HashMap<LookupTag, u32>,
    unopenable: BTreeSet<u32>,
}

/// A row of the household dataset that was opened, or found missing or unreadable.
pub type OpenedHousehold = (u32, Option<Household>);

impl People {
    fn new(schema: &DatasetSchema) -> Self {
        Self {
            columns: DatasetColumns::new(schema),
            secrets: vec![],
            numbers: HashMap::new(),
            unopenable: BTreeSet::new(),
        }
    }

    /// Makes room for numbers below `len`. Of whoever is new, nothing is known.
    pub fn grow(&mut self, len: usize) {
        let before = self.secrets.len();
        if len > before {
            self.make_room(len);
            self.secrets.resize(len, None);
            self.columns.grow(len);
            (before..len).for_each(|number| self.columns.set_unknown(number));
        }
    }

    /// A vector that grows by itself would leave copies of secrets in the memory it gives back.
    fn make_room(&mut self, len: usize) {
        if len > self.secrets.capacity() {
            let mut larger = Vec::with_capacity(len.max(2 * self.secrets.capacity()));
            larger.extend(self.secrets.iter().cloned());
            self.secrets = larger;
        }
    }

    /// Gives or takes away the capability to open a person's row. True where that is a change:
    /// nothing is known of the person until the row is opened again.
    pub fn entrust(&mut self, number: u32, secret: Option<PersonSecret>) -> bool {
        let held = &mut self.secrets[number as usize];
        if *held == secret {
            return false;
        }
        if let Some(old) = held.take() {
            let tag = old.lookup_tag();
            if self.numbers.get(&tag) == Some(&number) {
                self.numbers.remove(&tag);
            }
        }
        if let Some(new) = &secret {
            self.numbers.insert(new.lookup_tag(), number);
        }
        *held = secret;
        self.columns.set_unknown(number as usize);
        self.unopenable.remove(&number);
        true
    }

    /// Whose rows a change of the store concerns.
    pub fn concerned(&self, changed: &Changed) -> Vec<u32> {
        match changed {
            Changed::All => self.numbers.values().copied().collect(),
            Changed::Tags(tags) => {
                tags.iter().filter_map(|tag| self.numbers.get(tag).copied()).collect()
            }
        }
    }

    /// How many rows did not open with the secret released for them.
    pub fn unopenable(&self) -> usize {
        self.unopenable.len()
    }
}

/// What a person's row says.
enum Row {
    /// Nobody may ask.
    NotReleased,
    /// The dataset does not list the person.
    Absent,
    /// Flags, and the household where the dataset has them.
    Opened(Vec<u8>, Option<Household>),
    /// It does not open, or says what it cannot say.
    Unopenable,
}

impl DataLine {
    /// A line of which nothing was read yet.
    pub fn new(scope: &Scope, schema: &DatasetSchema) -> Self {
        Self {
            as_of: None,
            subjects: People::new(schema),
            members: People::new(schema),
            sealer: RowSealer::new(scope, &schema.dataset),
            flags: schema.flags.clone(),
            household: schema.household.clone(),
        }
    }

    /// Reads subjects' rows again. Returns the households found where this is the household
    /// dataset.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn reopen_subjects(
        &mut self,
        numbers: &[u32],
        reader: &RowReader,
    ) -> Result<Vec<OpenedHousehold>, RowsError> {
        let mut households = vec![];
        for &number in numbers {
            let row = self.read(self.subjects.secrets[number as usize].as_ref(), reader)?;
            let household = note(&mut self.subjects, number, row);
            if self.household.is_some() {
                households.push((number, household));
            }
        }
        Ok(households)
    }

    /// Reads household members' rows again.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn reopen_members(&mut self, numbers: &[u32], reader: &RowReader) -> Result<(), RowsError> {
        for &number in numbers {
            let row = self.read(self.members.secrets[number as usize].as_ref(), reader)?;
            note(&mut self.members, number, row);
        }
        Ok(())
    }

    fn read(&self, secret: Option<&PersonSecret>, reader: &RowReader) -> Result<Row, RowsError> {
        let Some(secret) = secret else { return Ok(Row::NotReleased) };
        let tag = secret.lookup_tag();
        let Some(sealed) = reader.get(tag)? else { return Ok(Row::Absent) };
        // Opened in place: a household's secrets are then in this buffer.
        let mut sealed = Zeroizing::new(sealed);
        Ok(self.open(secret, tag, &mut sealed).unwrap_or(Row::Unopenable))
    }

    fn open(&self, secret: &PersonSecret, tag: LookupTag, sealed: &mut [u8]) -> Option<Row> {
        let (nonce, ciphertext) = sealed.split_first_chunk_mut::<12>()?;
        let nonce = RowNonce(*nonce);
        let row = self.sealer.open(&secret.seal_key(), tag, nonce, ciphertext).ok()?;
        let (flags, rest) = row.split_at_checked(self.flags.len())?;
        let known = |(byte, flag): (&u8, &FlagSchema)| flag.kind.possible(*byte).is_some();
        if !flags.iter().zip(&self.flags).all(known) {
            return None;
        }
        let household = match &self.household {
            Some(schema) => Some(schema.decode(rest).ok()?),
            None => None,
        };
        Some(Row::Opened(flags.to_vec(), household))
    }
}

/// Puts what a row says into the columns.
fn note(people: &mut People, number: u32, row: Row) -> Option<Household> {
    let index = number as usize;
    people.unopenable.remove(&number);
    let (flags, household) = match row {
        Row::NotReleased => (None, None),
        Row::Absent => {
            people.columns.set_flags(index, None).expect("nobody's flags are no bytes");
            return None;
        }
        Row::Opened(flags, household) => (Some(flags), household),
        Row::Unopenable => {
            people.unopenable.insert(number);
            (None, None)
        }
    };
    match flags {
        Some(flags) => {
            people.columns.set_flags(index, Some(&flags)).expect("checked when it was opened");
        }
        None => people.columns.set_unknown(index),
    }
    household
}

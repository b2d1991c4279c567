//! People of one kind in one data line: those whom secrets were released for, and what their rows say.

use std::collections::BTreeSet;

use proto::{
    person_secret::{LookupTag, PersonSecret},
    schema::DatasetSchema,
};

use crate::{
    columns::DatasetColumns,
    rows::Changed,
    secrets::{Secrets, TOGETHER},
    tag_order::TagOrder,
};

/// The people.
pub struct People {
    /// Flags by number.
    pub columns: DatasetColumns,
    secrets: Secrets,
    order: TagOrder,
    unopenable: BTreeSet<u32>,
}

/// People and their tags, in the order of the tags.
pub type Tagged = Vec<(LookupTag, u32)>;

impl People {
    /// Nobody yet.
    pub fn new(schema: &DatasetSchema) -> Self {
        Self {
            columns: DatasetColumns::new(schema),
            secrets: Secrets::default(),
            order: TagOrder::default(),
            unopenable: BTreeSet::new(),
        }
    }

    /// Makes room for numbers below `len`. Of whoever is new, nothing is known.
    pub fn grow(&mut self, len: usize) {
        let before = self.secrets.len();
        if len > before {
            self.secrets.grow(len);
            self.columns.grow(len);
            (before..len).for_each(|number| self.columns.set_unknown(number));
        }
    }

    /// Gives the capability to open a person's row. True where that is a change: nothing is known of
    /// the person until [`People::settle`], and until the row is read then.
    pub fn entrust(&mut self, number: u32, secret: &[u8; 32]) -> bool {
        if self.secrets.get(number).is_some_and(|held| held.expose() == secret) {
            return false;
        }
        self.withdraw(number);
        self.secrets.set(number, Some(secret));
        true
    }

    /// Takes the capability away. True where it was there: nothing is known of the person any more.
    pub fn withdraw(&mut self, number: u32) -> bool {
        let Some(held) = self.secrets.get(number) else { return false };
        self.order.remove(held.lookup_tag(), number);
        self.secrets.set(number, None);
        self.columns.set_unknown(number as usize);
        self.unopenable.remove(&number);
        true
    }

    /// Puts those who were entrusted since in their places, each of them once; whose rows are to be
    /// read.
    pub fn settle(&mut self, entrusted: &[u32]) -> Tagged {
        let tagged = entrusted.iter().filter_map(|&number| Some((self.tag(number)?, number)));
        let mut people = Tagged::with_capacity(entrusted.len());
        people.extend(tagged);
        let mut tagged = people;
        tagged.sort_unstable();
        tagged.dedup();
        let Self { order, secrets, .. } = self;
        order.add(&tagged, |number| tag(secrets, number));
        tagged
    }

    /// Whose rows a change of the store concerns.
    pub fn concerned(&self, changed: &Changed) -> Tagged {
        match changed {
            Changed::All => {
                let numbers: Vec<u32> = self.order.numbers().collect();
                let mut concerned = Tagged::with_capacity(numbers.len());
                for numbers in numbers.chunks(TOGETHER) {
                    let secrets = self.secrets.of(numbers.iter().copied());
                    let tags = secrets.iter().flatten().map(PersonSecret::lookup_tag);
                    concerned.extend(tags.zip(numbers.iter().copied()));
                }
                concerned
            }
            Changed::Tags(tags) => {
                let of = |number| tag(&self.secrets, number);
                let with = |&tag| self.order.with(tag, of).map(move |number| (tag, number));
                let mut concerned: Tagged = tags.iter().flat_map(with).collect();
                concerned.sort_unstable();
                concerned
            }
        }
    }

    /// How many rows did not open with the secret released for them.
    pub fn unopenable(&self) -> usize {
        self.unopenable.len()
    }

    /// The secrets.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Puts what a row says into the columns; nothing where the dataset does not list the person.
    pub(crate) fn note(&mut self, number: u32, flags: Option<&[u8]>) -> bool {
        if !self.unopenable.is_empty() {
            self.unopenable.remove(&number);
        }
        self.columns.set_flags(number as usize, flags).is_ok()
    }

    /// Notes that a person's row does not open, or says what it cannot say.
    pub(crate) fn note_unopenable(&mut self, number: u32) {
        self.unopenable.insert(number);
        self.columns.set_unknown(number as usize);
    }

    fn tag(&self, number: u32) -> Option<LookupTag> {
        self.secrets.get(number).map(|secret| secret.lookup_tag())
    }
}

fn tag(secrets: &Secrets, number: u32) -> LookupTag {
    secrets.get(number).expect("whoever is in the order has a secret").lookup_tag()
}

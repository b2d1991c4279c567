//! The people of one watch dataset as they are released: subject, regions, flags, person secrets and
//! work orders, in columns ordered by subject.
//!
//! In memory only. Versions and changes are the business of `released`.

use std::{cmp::Ordering, collections::HashMap};

use proto::{
    name::DatasetId, salt::Salt, schema::FlagValue, subject::Subject, work_order::WorkOrder,
};
use zeroize::Zeroizing;

use crate::{
    derive::Derivation,
    link_key::{Link, LinkKey},
    load::Person,
    parallel,
    region::UNKNOWN_REGION,
};

/// One load of one watch dataset.
#[derive(Default)]
pub struct Subjects {
    subjects: Vec<Subject>,
    residences: Vec<u64>,
    registrations: Vec<u64>,
    flags: Vec<u8>,
    secrets: Zeroizing<Vec<u8>>,
    /// Of those who have any.
    orders: HashMap<Subject, Vec<WorkOrder>>,
    links: Vec<Link>,
    flag_count: usize,
    secret_count: usize,
}

/// One person in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row<'s> {
    /// The pseudonym.
    pub subject: Subject,
    /// Where the person lives: 12-digit code as a number; 0 where unknown.
    pub residence: u64,
    /// Where the person is registered, likewise.
    pub registration: u64,
    /// One byte each.
    pub flags: &'s [u8],
    /// 32 bytes each, in the order of the datasets they are for.
    pub secrets: &'s [u8],
    /// Ascending by number.
    pub orders: &'s [WorkOrder],
}

impl Subjects {
    /// Derives everybody's subject, and secrets for the datasets whose salts are given.
    pub fn new(
        derivation: &Derivation,
        base: &Salt,
        datasets: &[(DatasetId, Salt)],
        (flag_count, persons): (usize, &[Person]),
        key: &LinkKey,
    ) -> Self {
        let base_dataset = DatasetId::base();
        let subjects = parallel::map(persons, |person| {
            let root = derivation.root(&person.identifier);
            (Subject::of(&derivation.person_secret(&root, &base_dataset, base)), person)
        });
        let mut ordered = subjects;
        ordered.sort_unstable_by_key(|&(subject, _)| subject);
        ordered.dedup_by_key(|(subject, _)| *subject);

        let mut released = Self { flag_count, secret_count: datasets.len(), ..Self::default() };
        let width = 32 * datasets.len();
        // Reserved at once: a growing buffer would leave copies of secrets behind.
        released.secrets = Zeroizing::new(Vec::with_capacity(width * ordered.len()));
        for part in ordered.chunks(1 << 14) {
            let secrets = parallel::map(part, |(_, person)| {
                let root = derivation.root(&person.identifier);
                let mut secrets = Zeroizing::new(Vec::with_capacity(width));
                for (dataset, salt) in datasets {
                    let secret = derivation.person_secret(&root, dataset, salt);
                    secrets.extend_from_slice(secret.expose());
                }
                secrets
            });
            secrets.iter().for_each(|secrets| released.secrets.extend_from_slice(secrets));
        }
        for (subject, person) in ordered {
            assert_eq!(person.flags.len(), flag_count, "a load has as many flags as its schema");
            released.subjects.push(subject);
            released.links.push(key.link(&person.identifier));
            let particulars = person.particulars.as_deref();
            released.residences.push(particulars.map_or(UNKNOWN_REGION, |it| it.residence));
            released.registrations.push(particulars.map_or(UNKNOWN_REGION, |it| it.registration));
            if let Some(orders) = particulars.map(|it| &it.orders).filter(|it| !it.is_empty()) {
                released.orders.insert(subject, orders.clone());
            }
            released.flags.extend(person.flags.iter().map(|flag: &FlagValue| flag.to_byte()));
        }
        released
    }

    /// How many people there are.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Bytes of flags for every person.
    pub fn flag_count(&self) -> usize {
        self.flag_count
    }

    /// Everybody, in the order of the subjects.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// One person, if listed.
    pub fn get(&self, subject: Subject) -> Option<Row<'_>> {
        self.subjects.binary_search(&subject).ok().map(|index| self.row(index))
    }

    /// How a listed person is recognised in another epoch.
    pub(crate) fn link(&self, subject: Subject) -> Option<&Link> {
        self.subjects.binary_search(&subject).ok().map(|index| &self.links[index])
    }

    /// Everybody, by how they are recognised in another epoch.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&Link, Subject)> {
        self.links.iter().zip(self.subjects.iter().copied())
    }

    /// Who is new, changed or gone since `old`, ascending.
    pub fn changed_since(&self, old: &Self) -> Vec<Subject> {
        let (mut before, mut after) = (old.rows().peekable(), self.rows().peekable());
        let mut changed = vec![];
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return changed,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(after)) => before.subject.cmp(&after.subject),
            };
            let gone = order.is_le().then(|| before.next()).flatten();
            let here = order.is_ge().then(|| after.next()).flatten();
            if gone != here {
                changed.extend(here.or(gone).map(|row| row.subject));
            }
        }
    }

    fn row(&self, index: usize) -> Row<'_> {
        let (flags, secrets) = (self.flag_count, 32 * self.secret_count);
        Row {
            subject: self.subjects[index],
            residence: self.residences[index],
            registration: self.registrations[index],
            flags: &self.flags[index * flags..][..flags],
            secrets: &self.secrets[index * secrets..][..secrets],
            orders: self.orders.get(&self.subjects[index]).map_or(&[], Vec::as_slice),
        }
    }
}

//! A watch dataset's log: the present people, and who changed in the last few versions.
//!
//! Kept in memory and begun anew at each start, since person secrets are not written to disk.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use proto::{cursor::Cursor, name::DatasetId, salt::Salt, schema::DatasetKind, subject::Subject};

use crate::{
    agency::{Agency, HeldSalts},
    derive::Derivation,
    link_key::LinkKey,
    load::Load,
    resume::Resume,
    sealing::fingerprint,
    subjects::{Row, Subjects},
    version_log::{StoreError, random},
};

/// How many versions' changes are kept.
const KEPT_VERSIONS: usize = 8;

/// One version of a watch dataset.
#[derive(Clone)]
pub struct Released {
    cursor: Cursor,
    fingerprint: [u8; 32],
    /// When the source was last read without error.
    pub as_of: Timestamp,
    /// The datasets whose person secrets are released, in order.
    pub secrets_for: Arc<[DatasetId]>,
    subjects: Arc<Subjects>,
    /// Of the last versions, the newest last.
    changes: VecDeque<Arc<Vec<Subject>>>,
}

impl Released {
    /// The version after `old`: of the same log if nothing but people changed, else of a new one.
    /// `fingerprint` stands for schema and usable salts.
    ///
    /// # Errors
    /// [`StoreError::Random`].
    pub fn next(
        old: Option<&Self>,
        fingerprint: [u8; 32],
        secrets_for: Vec<DatasetId>,
        (subjects, as_of): (Subjects, Timestamp),
    ) -> Result<Self, StoreError> {
        let Some(old) = old.filter(|old| old.fingerprint == fingerprint) else {
            let cursor = Cursor { log: random()?, version: 1 };
            let (subjects, changes) = (Arc::new(subjects), VecDeque::new());
            let secrets_for = secrets_for.into();
            return Ok(Self { cursor, fingerprint, as_of, secrets_for, subjects, changes });
        };
        let mut next = Self { as_of, ..old.clone() };
        let changed = subjects.changed_since(&old.subjects);
        if !changed.is_empty() {
            next.cursor.version += 1;
            next.subjects = Arc::new(subjects);
            next.changes.push_back(Arc::new(changed));
            if next.changes.len() > KEPT_VERSIONS {
                next.changes.pop_front();
            }
        }
        Ok(next)
    }

    /// The version after `old` that a load gives, with person secrets for every cross-check dataset
    /// whose salt is held.
    ///
    /// # Errors
    /// [`StoreError::Random`].
    pub fn of_load(
        old: Option<&Self>,
        (agency, base, salts): (&Agency, &Salt, &HeldSalts),
        derivation: &Derivation,
        (load, key): (&Load, &LinkKey),
        as_of: Timestamp,
    ) -> Result<Self, StoreError> {
        let queried = agency.manifest.datasets().filter_map(|(id, dataset)| {
            let salt = salts.get(id)?;
            (dataset.kind == Some(DatasetKind::CrossCheck)).then(|| (id.clone(), salt.clone()))
        });
        let (secrets_for, held): (Vec<DatasetId>, Vec<Salt>) = queried.unzip();
        let fingerprint = fingerprint(&agency.manifest.scope, &load.schema, base, &held);
        let granted: Vec<(DatasetId, Salt)> = secrets_for.iter().cloned().zip(held).collect();
        let people = (load.schema.flags.len(), load.persons.as_slice());
        let subjects = Subjects::new(derivation, base, &granted, people, key);
        Self::next(old, fingerprint, secrets_for, (subjects, as_of))
    }

    /// The log and its version.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The oldest version from which the changes are still known.
    pub fn kept_since(&self) -> u32 {
        self.cursor.version - u32::try_from(self.changes.len()).expect("a few")
    }

    /// Everybody in this version.
    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// Who changed, ascending, with the present row or `None` where gone; everybody for a snapshot.
    pub fn rows(
        &self,
        resume: Resume,
    ) -> Box<dyn Iterator<Item = (Subject, Option<Row<'_>>)> + '_> {
        match resume {
            Resume::Snapshot => Box::new(self.subjects.rows().map(|row| (row.subject, Some(row)))),
            Resume::After(version) => {
                let behind = self.cursor.version.saturating_sub(version) as usize;
                let skipped = self.changes.len().saturating_sub(behind);
                let changes = self.changes.iter().skip(skipped);
                let changed: BTreeSet<Subject> =
                    changes.flat_map(|changes| changes.iter().copied()).collect();
                Box::new(changed.into_iter().map(|subject| (subject, self.subjects.get(subject))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proto::{case_event::Urgency, work_order::WorkOrder};

    use super::*;
    use crate::{fixture, load::Person, particulars::Particulars};

    fn subjects(people: &[(u32, u8)]) -> Subjects {
        let persons: Vec<Person> =
            people.iter().map(|&(number, flag)| fixture::person(number, flag)).collect();
        let granted = [(fixture::name("vehicles"), fixture::salt(2))];
        let (derivation, salt, key) =
            (fixture::derivation(1), fixture::salt(1), fixture::link_key());
        Subjects::new(&derivation, &salt, &granted, (1, &persons), &key)
    }

    fn next(old: Option<&Released>, fingerprint: u8, people: &[(u32, u8)]) -> Released {
        let loaded = (subjects(people), Timestamp::UNIX_EPOCH);
        Released::next(old, [fingerprint; 32], vec![fixture::name("vehicles")], loaded)
            .expect("random numbers")
    }

    #[test]
    fn a_person_is_released_with_the_secret_that_opens_their_row() {
        let derivation = fixture::derivation(1);
        let secret = |dataset: &str, salt| {
            let root = derivation.root(&fixture::identifier(5));
            derivation.person_secret(&root, &fixture::name(dataset), &fixture::salt(salt))
        };
        let subjects = subjects(&[(4, 0), (5, 1)]);
        let row = subjects.get(Subject::of(&secret("base", 1))).expect("listed");
        assert_eq!(row.flags, [1]);
        assert_eq!(row.secrets, secret("vehicles", 2).expose());
    }

    #[test]
    fn a_delta_from_any_kept_version_leads_to_the_present_people() {
        let loads: [&[(u32, u8)]; 4] =
            [&[(1, 0), (2, 0)], &[(1, 1), (2, 0)], &[(2, 0), (3, 1)], &[(1, 0), (3, 1)]];
        let mut versions: Vec<Released> = vec![];
        for load in loads {
            versions.push(next(versions.last(), 1, load));
        }
        let present = versions.last().expect("four");
        assert_eq!((present.cursor().version, present.kept_since()), (4, 1));
        for old in &versions {
            let mut flags: BTreeMap<Subject, Vec<u8>> =
                old.subjects().rows().map(|row| (row.subject, row.flags.to_vec())).collect();
            for (subject, row) in present.rows(Resume::After(old.cursor().version)) {
                match row {
                    Some(row) => drop(flags.insert(subject, row.flags.to_vec())),
                    None => drop(flags.remove(&subject)),
                }
            }
            let expected: BTreeMap<_, _> =
                present.subjects().rows().map(|row| (row.subject, row.flags.to_vec())).collect();
            assert!(flags == expected, "from {:?}", old.cursor());
        }
    }

    #[test]
    fn a_changed_region_or_work_order_is_a_change_of_its_person() {
        let load = |particulars: Option<Particulars>| {
            let mut person = fixture::person(1, 0);
            person.particulars = particulars.map(Box::new);
            let (derivation, salt) = (fixture::derivation(1), fixture::salt(1));
            Subjects::new(&derivation, &salt, &[], (1, &[person]), &fixture::link_key())
        };
        let order = |urgency| Particulars {
            orders: vec![WorkOrder { number: 12, urgency }],
            ..Particulars::default()
        };
        let residence = Particulars { residence: 320_104_000_000, ..Particulars::default() };
        let registration = Particulars { registration: 320_104_000_000, ..Particulars::default() };
        let routine = order(Urgency::Routine);
        let others = [residence, registration, routine.clone(), order(Urgency::Urgent)];
        for pair in others.windows(2) {
            let [one, other] = [&pair[0], &pair[1]].map(|it| load(Some(it.clone())));
            assert_eq!(one.changed_since(&other).len(), 1);
        }
        assert_eq!(load(Some(routine.clone())).changed_since(&load(None)).len(), 1, "a new order");
        assert_eq!(load(None).changed_since(&load(Some(routine.clone()))).len(), 1, "a closed one");
        assert!(load(Some(routine.clone())).changed_since(&load(Some(routine))).is_empty());
    }

    #[test]
    fn the_log_goes_on_until_the_usable_grants_change() {
        let first = next(None, 1, &[(1, 0)]);
        let same = next(Some(&first), 1, &[(1, 0)]);
        assert_eq!(same.cursor(), first.cursor(), "nothing changed");
        let changed = next(Some(&same), 1, &[(1, 1)]);
        assert_eq!(changed.cursor(), Cursor { version: 2, ..first.cursor() });
        let granted = next(Some(&changed), 2, &[(1, 1)]);
        assert_ne!(granted.cursor().log, first.cursor().log);
        assert_eq!(granted.cursor().version, 1);
    }

    #[test]
    fn only_the_last_changes_are_kept() {
        let mut released = next(None, 1, &[(1, 0)]);
        for number in 0..20_u8 {
            released = next(Some(&released), 1, &[(1, (number + 1) % 2)]);
        }
        assert_eq!((released.cursor().version, released.kept_since()), (21, 13));
    }
}

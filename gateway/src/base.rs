//! The base as the gateway may know it: subjects, their categories, and what their released person
//! secrets open. All of it in memory; a restart begins with nobody.
//!
//! Owns the order in which lists, lines and households update each other. What follows from it is
//! the rules' business.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use proto::{
    name::DatasetId, person_secret::PersonSecret, schema::DatasetKind, scope::Scope,
    subject::Subject,
};

use crate::{
    catalogue::{Catalogue, DatasetNumber},
    data_line::{DataLine, OpenedHousehold},
    facts::{DatasetFacts, Facts, HouseholdFacts},
    households::Households,
    numbers::Numbers,
    rows::{Changed, Rows, RowsError},
    sync::VerifiedRelease,
    watch_list::{Taken, WatchList},
};

/// The base.
pub struct Base {
    catalogue: Arc<Catalogue>,
    subjects: Numbers<Subject>,
    sources: Vec<Source>,
    households: Households,
    households_changed: bool,
}

enum Source {
    Watch(WatchList),
    Line(Box<DataLine>),
}

impl Base {
    /// Nobody yet; lines are as fresh as what the store holds of them.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn new(scope: &Scope, catalogue: Arc<Catalogue>, rows: &Rows) -> Result<Self, RowsError> {
        let mut sources = vec![];
        for dataset in &catalogue.datasets {
            sources.push(match dataset.schema.kind {
                DatasetKind::Watch => Source::Watch(WatchList::new(&dataset.schema)),
                DatasetKind::CrossCheck => {
                    let as_of = rows.held(&dataset.schema.dataset)?.map(|held| held.as_of);
                    Source::Line(Box::new(DataLine::new(scope, &dataset.schema, as_of)))
                }
            });
        }
        Ok(Self {
            catalogue,
            subjects: Numbers::default(),
            sources,
            households: Households::default(),
            households_changed: true,
        })
    }

    /// The catalogue it was built for.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// How many subjects have been met.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether none has been.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// The subject with this number.
    pub fn subject(&self, number: u32) -> Subject {
        self.subjects.key(number)
    }

    /// A subject's number, new where it was not met before. Of a new one nothing is known.
    pub fn intern(&mut self, subject: Subject) -> u32 {
        let number = self.subjects.intern(subject);
        self.grow();
        number
    }

    /// Rows of one line that did not open with the secret released for them.
    pub fn unopenable(&self, dataset: &DatasetId) -> usize {
        match self.catalogue.number(dataset).map(|number| &self.sources[number]) {
            Some(Source::Line(line)) => line.subjects.unopenable() + line.members.unopenable(),
            _ => 0,
        }
    }

    /// How many a watch dataset lists.
    pub fn listed(&self, dataset: &DatasetId) -> usize {
        match self.catalogue.number(dataset).map(|number| &self.sources[number]) {
            Some(Source::Watch(list)) => list.len(),
            _ => 0,
        }
    }

    /// Whether any category lists a subject.
    pub fn is_listed(&self, subject: u32) -> bool {
        self.sources.iter().any(|source| match source {
            Source::Watch(list) => list.lists(subject),
            Source::Line(_) => false,
        })
    }

    /// When a dataset's source was last read, as far as something was received.
    pub fn as_of(&self, number: DatasetNumber) -> Option<Timestamp> {
        match &self.sources[number] {
            Source::Watch(list) => list.as_of,
            Source::Line(line) => line.as_of,
        }
    }

    /// Takes a release over and opens what it allows.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn release(&mut self, release: &VerifiedRelease, rows: &Rows) -> Result<(), RowsError> {
        let Some(number) = self.catalogue.number(&release.header().dataset) else { return Ok(()) };
        let Source::Watch(list) = &mut self.sources[number] else { return Ok(()) };
        let before = list.secrets_for.clone();
        let Taken { listed, gone } = list.take(release, &mut self.subjects);
        self.grow();
        // Secrets come once: a store that fails must not cost those of the datasets that follow.
        let mut opened = Ok(());
        for (column, dataset) in release.secrets_for().iter().enumerate() {
            let secrets = listed
                .iter()
                .map(|(number, secrets)| (*number, PersonSecret::from_bytes(secrets[column])));
            opened = self.entrust(dataset, secrets.collect(), rows).and(opened);
        }
        let concerned: Vec<u32> = listed.iter().map(|&(number, _)| number).chain(gone).collect();
        for dataset in before {
            opened = self.withdraw_uncovered(&dataset, &concerned, rows).and(opened);
        }
        opened
    }

    /// Opens everything again that secrets are held for, where an earlier try met a failing store.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn reopen_all(&mut self, rows: &Rows) -> Result<(), RowsError> {
        let catalogue = self.catalogue.clone();
        for dataset in &catalogue.datasets {
            let id = &dataset.schema.dataset;
            if let Some(held) = rows.held(id)? {
                self.rows_changed(id, &Changed::All, held.as_of, rows)?;
            }
        }
        Ok(())
    }

    /// Takes a change of sealed rows over.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn rows_changed(
        &mut self,
        dataset: &DatasetId,
        changed: &Changed,
        as_of: Timestamp,
        rows: &Rows,
    ) -> Result<(), RowsError> {
        let Some(number) = self.catalogue.number(dataset) else { return Ok(()) };
        let Source::Line(line) = &mut self.sources[number] else { return Ok(()) };
        line.as_of = Some(as_of);
        let subjects = line.subjects.concerned(changed);
        let members = line.members.concerned(changed);
        let reader = rows.reader(dataset)?;
        line.reopen_members(&members, &reader)?;
        let households = line.reopen_subjects(&subjects, &reader)?;
        self.replace_households(households, rows)
    }

    /// Region of a subject, 12 digits: the most precise that any list gives, 0 where none does.
    pub fn region(&self, number: u32) -> u64 {
        let lists = self.sources.iter().filter_map(|source| match source {
            Source::Watch(list) => Some(list.region(number)),
            Source::Line(_) => None,
        });
        // Of equally precise ones, the first list's.
        lists
            .fold(0, |best, region| if precision(region) > precision(best) { region } else { best })
    }

    /// When the next dataset goes stale if nothing arrives.
    pub fn next_stale(&self, now: Timestamp) -> Option<Timestamp> {
        let fresh = (0..self.sources.len()).filter(|&number| self.is_fresh(number, now));
        fresh.filter_map(|number| self.stale_at(number)).min()
    }

    /// Whether every category's list counts now, so that whoever is in none is not in the base.
    pub fn knows_everybody(&self, now: Timestamp) -> bool {
        let mut sources = self.sources.iter().enumerate();
        sources.all(|(number, s)| matches!(s, Source::Line(_)) || self.is_fresh(number, now))
    }

    /// Whether a dataset's answers count now.
    pub fn is_fresh(&self, number: DatasetNumber, now: Timestamp) -> bool {
        self.stale_at(number).is_some_and(|at| now < at)
    }

    fn stale_at(&self, number: DatasetNumber) -> Option<Timestamp> {
        let within = self.catalogue.datasets[number].fresh_within;
        self.as_of(number).map(|as_of| crate::clock::later(as_of, within))
    }

    /// Lays households out for rules, where they changed. Comes before [`Base::facts`].
    pub fn lay_out(&mut self) {
        if std::mem::take(&mut self.households_changed) {
            self.households.lay_out(self.subjects.len());
        }
    }

    /// Everything rules may read, as of now.
    pub fn facts(&self, now: Timestamp) -> Facts<'_> {
        let fresh: Vec<bool> =
            (0..self.sources.len()).map(|number| self.is_fresh(number, now)).collect();
        let datasets = self.sources.iter().zip(&fresh).map(|(source, &fresh)| DatasetFacts {
            columns: match source {
                Source::Watch(list) => &list.columns,
                Source::Line(line) => &line.subjects.columns,
            },
            fresh,
        });
        let layout = self.households.layout();
        let household = self.catalogue.household().map(|number| HouseholdFacts {
            offsets: &layout.offsets,
            members: &layout.members,
            complete: &layout.complete,
            columns: self.member_columns(),
            fresh: fresh[number],
        });
        Facts { subjects: self.subjects.len(), datasets: datasets.collect(), household }
    }

    fn member_columns(&self) -> Vec<Option<&crate::columns::DatasetColumns>> {
        let columns = self.sources.iter().map(|source| match source {
            Source::Watch(_) => None,
            Source::Line(line) => Some(&line.members.columns),
        });
        columns.collect()
    }

    fn grow(&mut self) {
        for source in &mut self.sources {
            match source {
                Source::Watch(list) => list.columns.grow(self.subjects.len()),
                Source::Line(line) => line.subjects.grow(self.subjects.len()),
            }
        }
        self.households_changed = true;
    }

    fn line(&mut self, dataset: &DatasetId) -> Option<&mut DataLine> {
        match &mut self.sources[self.catalogue.number(dataset)?] {
            Source::Line(line) => Some(line),
            Source::Watch(_) => None,
        }
    }

    fn entrust(
        &mut self,
        dataset: &DatasetId,
        secrets: Vec<(u32, PersonSecret)>,
        rows: &Rows,
    ) -> Result<(), RowsError> {
        let Some(line) = self.line(dataset) else { return Ok(()) };
        let mut new = vec![];
        for (number, secret) in secrets {
            if line.subjects.entrust(number, Some(secret)) {
                new.push(number);
            }
        }
        self.reopen(dataset, &new, rows)
    }

    /// Forgets the secrets of subjects whom no list brings any more for this dataset.
    fn withdraw_uncovered(
        &mut self,
        dataset: &DatasetId,
        concerned: &[u32],
        rows: &Rows,
    ) -> Result<(), RowsError> {
        let covered = |number: u32| {
            self.sources.iter().any(|source| match source {
                Source::Watch(list) => list.lists(number) && list.secrets_for.contains(dataset),
                Source::Line(_) => false,
            })
        };
        let gone: Vec<u32> = concerned.iter().copied().filter(|&n| !covered(n)).collect();
        let Some(line) = self.line(dataset) else { return Ok(()) };
        let lost = gone.into_iter().filter(|&number| line.subjects.entrust(number, None));
        let lost: Vec<u32> = lost.collect();
        self.reopen(dataset, &lost, rows)
    }

    fn reopen(
        &mut self,
        dataset: &DatasetId,
        subjects: &[u32],
        rows: &Rows,
    ) -> Result<(), RowsError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let reader = rows.reader(dataset)?;
        let Some(line) = self.line(dataset) else { return Ok(()) };
        let households = line.reopen_subjects(subjects, &reader)?;
        self.replace_households(households, rows)
    }

    fn replace_households(
        &mut self,
        households: Vec<OpenedHousehold>,
        rows: &Rows,
    ) -> Result<(), RowsError> {
        if households.is_empty() {
            return Ok(());
        }
        self.households_changed = true;
        let (mut entries, mut gone) = (vec![], BTreeSet::new());
        for (subject, household) in households {
            let (named, unnamed) = self.households.replace(subject, household);
            for (number, _) in &named {
                gone.remove(number);
            }
            entries.extend(named);
            gone.extend(unnamed);
        }
        let schema = self
            .catalogue
            .household()
            .and_then(|number| self.catalogue.datasets[number].schema.household.clone())
            .expect("only the household dataset's rows hold households");
        let members = self.households.numbers.len();
        let mut opened = Ok(());
        for (column, dataset) in schema.datasets.iter().enumerate() {
            let Some(line) = self.line(dataset) else { continue };
            line.members.grow(members);
            let mut concerned = vec![];
            for (number, entry) in &entries {
                if line.members.entrust(*number, Some(entry.secrets[column].clone())) {
                    concerned.push(*number);
                }
            }
            concerned.extend(gone.iter().filter(|&&n| line.members.entrust(n, None)));
            let reopen = |reader| line.reopen_members(&concerned, &reader);
            opened = rows.reader(dataset).and_then(reopen).and(opened);
        }
        opened
    }
}

/// How many of a region's 12 digits say something.
fn precision(region: u64) -> u32 {
    if region == 0 {
        return 0;
    }
    let zeros = (1..12).find(|&digits| !region.is_multiple_of(10_u64.pow(digits))).unwrap_or(12);
    13 - zeros
}

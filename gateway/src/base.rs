//! The base as the gateway may know it: subjects, their categories, and what their released person
//! secrets open. All of it in memory; a restart begins with nobody.
//!
//! Owns the order in which lists, lines and households update each other. What follows from it is
//! the rules' business.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use proto::{
    household::MemberEntry, name::DatasetId, person_secret::PersonSecret, schema::DatasetKind,
    scope::Scope, subject::Subject,
};

use crate::{
    bitset::Bitset,
    catalogue::{Catalogue, DatasetNumber},
    data_line::{DataLine, OpenedHousehold},
    facts::{DatasetFacts, Facts, HouseholdFacts},
    households::Households,
    numbers::Numbers,
    region,
    rows::{Changed, RowReader, Rows, RowsError},
    sync::VerifiedRelease,
    touched::Touched,
    watch_list::{Taken, WatchList},
};

/// The base.
pub struct Base {
    catalogue: Arc<Catalogue>,
    subjects: Numbers<Subject>,
    sources: Vec<Source>,
    households: Households,
    touched: Touched,
    /// Lines whose rows could not be read when they should have been, or not yet.
    unread: BTreeSet<DatasetNumber>,
}

enum Source {
    Watch(WatchList),
    Line(Box<DataLine>),
}

impl Base {
    /// Nobody yet, and no row read: [`Base::catch_up`] comes next.
    pub fn new(scope: &Scope, catalogue: Arc<Catalogue>) -> Self {
        let (mut sources, mut unread) = (vec![], BTreeSet::new());
        for (number, dataset) in catalogue.datasets.iter().enumerate() {
            sources.push(match dataset.schema.kind {
                DatasetKind::Watch => Source::Watch(WatchList::new(&dataset.schema)),
                DatasetKind::CrossCheck => {
                    unread.insert(number);
                    Source::Line(Box::new(DataLine::new(scope, &dataset.schema)))
                }
            });
        }
        Self {
            catalogue,
            subjects: Numbers::default(),
            sources,
            households: Households::default(),
            touched: Touched::default(),
            unread,
        }
    }

    /// Whether rows are still to be read that the store did not give.
    pub fn is_behind(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Reads what the store did not give before.
    ///
    /// # Errors
    /// [`RowsError`] where the store still does not answer; what it gave counts.
    pub fn catch_up(&mut self, rows: &Rows) -> Result<(), RowsError> {
        let unread: Vec<DatasetNumber> = self.unread.iter().copied().collect();
        let results = unread.into_iter().map(|line| self.read_line(line, &Changed::All, rows));
        results.fold(Ok(()), Result::and)
    }

    /// The catalogue it was built for.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Takes a catalogue over in which things are only called otherwise.
    pub fn rename(&mut self, catalogue: Arc<Catalogue>) {
        debug_assert!(self.catalogue.means_the_same(&catalogue), "else the base begins anew");
        self.catalogue = catalogue;
    }

    /// How many subjects have been met.
    pub fn met(&self) -> usize {
        self.subjects.len()
    }

    /// The number of a subject that was met.
    pub fn number(&self, subject: &Subject) -> Option<u32> {
        self.subjects.get(subject)
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

    /// How many a watch dataset lists; absent for a data line.
    pub fn listed(&self, dataset: &DatasetId) -> Option<usize> {
        match self.catalogue.number(dataset).map(|number| &self.sources[number]) {
            Some(Source::Watch(list)) => Some(list.len()),
            _ => None,
        }
    }

    /// The categories' lists.
    pub fn watch_lists(&self) -> impl Iterator<Item = (DatasetNumber, &WatchList)> {
        self.sources.iter().enumerate().filter_map(|(number, source)| match source {
            Source::Watch(list) => Some((number, list)),
            Source::Line(_) => None,
        })
    }

    /// Whether any category lists a subject.
    pub fn is_listed(&self, subject: u32) -> bool {
        self.watch_lists().any(|(_, list)| list.lists(subject))
    }

    /// Subjects whom no category lists.
    pub fn unlisted(&self) -> Bitset {
        let mut unlisted = Bitset::filled(self.subjects.len(), true);
        for listed in self.watch_lists().filter_map(|(_, list)| list.columns.listed()) {
            unlisted.and_not_with(listed);
        }
        unlisted
    }

    /// Subjects of whom, or of whose household, anything was learnt since this was last asked.
    pub fn take_touched(&mut self) -> Bitset {
        self.touched.take(&self.households)
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
    /// [`RowsError`] where the store does not answer: what it did not give is unknown until
    /// [`Base::catch_up`].
    pub fn release(&mut self, release: &VerifiedRelease, rows: &Rows) -> Result<(), RowsError> {
        let Some(number) = self.catalogue.number(&release.header().dataset) else { return Ok(()) };
        let Source::Watch(list) = &mut self.sources[number] else { return Ok(()) };
        let before = list.secrets_for.clone();
        let Taken { listed, gone } = list.take(release, &mut self.subjects);
        self.grow();
        let mut entrusted = BTreeMap::new();
        for (column, dataset) in release.secrets_for().iter().enumerate() {
            let Some((line, people)) = self.line(dataset) else { continue };
            let secret = |secrets: &[[u8; 32]]| Some(PersonSecret::from_bytes(secrets[column]));
            let new =
                listed.iter().filter(|(n, secrets)| people.subjects.entrust(*n, secret(secrets)));
            entrusted.insert(line, new.map(|&(number, _)| number).collect::<Vec<u32>>());
        }
        // All that needs no store comes first, so that none of it is left half done.
        let concerned: Vec<u32> = listed.iter().map(|&(number, _)| number).chain(gone).collect();
        self.touched.subjects(&concerned);
        let mut result = Ok(());
        for dataset in before {
            result = result.and(self.withdraw_uncovered(&dataset, &concerned, rows));
        }
        for (line, subjects) in entrusted {
            result = result.and(self.open_rows(line, &subjects, rows));
        }
        result
    }

    /// Takes a change of sealed rows over, as the store holds them now.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer: everything stays as it was until
    /// [`Base::catch_up`].
    pub fn rows_changed(
        &mut self,
        dataset: &DatasetId,
        changed: &Changed,
        rows: &Rows,
    ) -> Result<(), RowsError> {
        match self.line(dataset).map(|(number, _)| number) {
            Some(number) => self.read_line(number, changed, rows),
            None => Ok(()),
        }
    }

    /// Reads a line's changed rows, or all of them where some were not read before.
    fn read_line(
        &mut self,
        number: DatasetNumber,
        changed: &Changed,
        rows: &Rows,
    ) -> Result<(), RowsError> {
        let was_read = self.unread.insert(number);
        let changed = if was_read { changed } else { &Changed::All };
        let reader = rows.reader(&self.catalogue.datasets[number].schema)?;
        let Source::Line(line) = &mut self.sources[number] else { return Ok(()) };
        let subjects = line.subjects.concerned(changed);
        let members = line.members.concerned(changed);
        self.touched.subjects(&subjects);
        self.touched.members(&members);
        line.reopen_members(&members, &reader)?;
        let households = line.reopen_subjects(&subjects, &reader)?;
        line.as_of = reader.as_of();
        self.unread.remove(&number);
        self.replace_households(households, rows)
    }

    /// Region of a subject, 12 digits: the most precise that any list gives, 0 where none does.
    pub fn region(&self, number: u32) -> u64 {
        let lists = self.watch_lists().map(|(_, list)| list.region(number));
        // Of equally precise ones, the first list's.
        lists.fold(0, |best, region| {
            if region::precision(region) > region::precision(best) { region } else { best }
        })
    }

    /// Everything rules may read, as of now.
    pub fn facts(&self, now: Timestamp) -> Facts<'_> {
        let fresh: Vec<bool> = (0..self.sources.len()).map(|n| self.is_fresh(n, now)).collect();
        let datasets = self.sources.iter().zip(&fresh).map(|(source, &fresh)| DatasetFacts {
            columns: match source {
                Source::Watch(list) => &list.columns,
                Source::Line(line) => &line.subjects.columns,
            },
            fresh,
        });
        let household = self.catalogue.household().map(|number| HouseholdFacts {
            members: self.households.members(),
            complete: self.households.complete(),
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
        self.touched.met(self.subjects.len());
    }

    fn line(&mut self, dataset: &DatasetId) -> Option<(DatasetNumber, &mut DataLine)> {
        let number = self.catalogue.number(dataset)?;
        match &mut self.sources[number] {
            Source::Line(line) => Some((number, line)),
            Source::Watch(_) => None,
        }
    }

    /// Forgets the secrets of subjects whom no list brings any more for this dataset.
    fn withdraw_uncovered(
        &mut self,
        dataset: &DatasetId,
        concerned: &[u32],
        rows: &Rows,
    ) -> Result<(), RowsError> {
        let brings = |list: &WatchList| list.secrets_for.contains(dataset);
        let covered =
            |number: u32| self.watch_lists().any(|(_, list)| list.lists(number) && brings(list));
        let gone: Vec<u32> = concerned.iter().copied().filter(|&n| !covered(n)).collect();
        let Some((_, line)) = self.line(dataset) else { return Ok(()) };
        let lost = gone.into_iter().filter(|&number| line.subjects.entrust(number, None));
        let lost: Vec<u32> = lost.collect();
        let households = line.reopen_subjects(&lost, &RowReader::nothing())?;
        self.replace_households(households, rows)
    }

    /// Opens the rows of subjects whose secrets are new.
    fn open_rows(
        &mut self,
        number: DatasetNumber,
        subjects: &[u32],
        rows: &Rows,
    ) -> Result<(), RowsError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let was_read = self.unread.insert(number);
        let reader = rows.reader(&self.catalogue.datasets[number].schema)?;
        let Source::Line(line) = &mut self.sources[number] else { return Ok(()) };
        let households = line.reopen_subjects(subjects, &reader)?;
        if was_read {
            self.unread.remove(&number);
        }
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
        let (mut entries, mut gone) = (vec![], BTreeSet::new());
        for (subject, household) in households {
            self.touched.subjects(&[subject]);
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
        let mut entrusted = BTreeMap::new();
        for (column, dataset) in schema.datasets.iter().enumerate() {
            let Some((number, line)) = self.line(dataset) else { continue };
            line.members.grow(members);
            let secret = |entry: &MemberEntry| Some(entry.secrets[column].clone());
            let new = entries.iter().filter(|(n, entry)| line.members.entrust(*n, secret(entry)));
            entrusted.insert(number, new.map(|&(number, _)| number).collect::<Vec<u32>>());
            for &number in &gone {
                line.members.entrust(number, None);
            }
        }
        let opened =
            entrusted.iter().map(|(&line, members)| self.open_members(line, members, rows));
        opened.fold(Ok(()), Result::and)
    }

    /// Opens the rows of household members whose secrets are new.
    fn open_members(
        &mut self,
        number: DatasetNumber,
        members: &[u32],
        rows: &Rows,
    ) -> Result<(), RowsError> {
        if members.is_empty() {
            return Ok(());
        }
        let was_read = self.unread.insert(number);
        self.touched.members(members);
        let reader = rows.reader(&self.catalogue.datasets[number].schema)?;
        let Source::Line(line) = &mut self.sources[number] else { return Ok(()) };
        line.reopen_members(members, &reader)?;
        if was_read {
            self.unread.remove(&number);
        }
        Ok(())
    }
}

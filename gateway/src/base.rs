//! The base as the gateway may know it: subjects, their categories, and what their released person
//! secrets open. All of it in memory; a restart begins with nobody.
//!
//! Owns what is kept of whom. How lines' rows come in is `reading`'s business, and what follows from
//! it is the rules'.

mod reading;

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use proto::{name::DatasetId, schema::DatasetKind, scope::Scope, subject::Subject};

use crate::{
    bitset::Bitset,
    catalogue::{Catalogue, DatasetNumber},
    data_line::DataLine,
    facts::{DatasetFacts, Facts, HouseholdFacts},
    households::Households,
    numbers::Numbers,
    region::SubjectRegions,
    touched::Touched,
    watch_list::WatchList,
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
    Watch(Box<WatchList>),
    Line(Box<DataLine>),
}

impl Base {
    /// Nobody yet, and no row read: [`Base::catch_up`] comes next.
    pub fn new(scope: &Scope, catalogue: Arc<Catalogue>) -> Self {
        let (mut sources, mut unread) = (vec![], BTreeSet::new());
        for (number, dataset) in catalogue.datasets.iter().enumerate() {
            sources.push(match dataset.schema.kind {
                DatasetKind::Watch => Source::Watch(Box::new(WatchList::new(&dataset.schema))),
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
            Source::Watch(list) => Some((number, &**list)),
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

    /// Where a subject lives and is registered, by all lists together.
    pub fn regions(&self, number: u32) -> SubjectRegions {
        let lists = self.watch_lists().map(|(_, list)| list.regions(number));
        lists.fold(SubjectRegions::default(), SubjectRegions::and)
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
            answers: None,
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
}

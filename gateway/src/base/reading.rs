//! How the base comes to know what data lines say: which rows are read when, on all cores at once.
//!
//! What a row says is `data_line`'s business, and who lives with whom `households`'.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    sync::Mutex,
    thread,
};

use proto::{household::MemberEntry, name::DatasetId};

use super::{Base, Source};
use crate::{
    catalogue::DatasetNumber,
    data_line::{DataLine, OpenedHousehold},
    people::Tagged,
    rows::{Changed, RowReader, Rows, RowsError},
    sync::VerifiedRelease,
    watch_list::{Taking, WatchList},
};

/// Fewer people than these are not worth a second thread.
const FEW: usize = 4096;
/// Frames of a release that are taken over together: so many are there twice at the same time.
const FRAMES: usize = 12;
/// Households that are in memory at once.
const HOUSEHOLDS: usize = 4096;

/// People of each line.
type ByLine = BTreeMap<DatasetNumber, Vec<u32>>;

/// Whose rows of a line are to be read.
enum Whose<'a> {
    /// Those of subjects and household members whom a change of the store concerns.
    Changed(&'a Changed),
    /// Those of subjects whose secrets are new.
    Entrusted(Vec<u32>),
}

/// What other households mean for the data lines' household members.
#[derive(Default)]
struct Moved {
    /// Whose secrets are new, by line; every line that holds members' secrets is in it.
    entrusted: ByLine,
    /// Whom no household names any more.
    gone: BTreeSet<u32>,
}

impl Base {
    /// Whether rows are still to be read that the store did not give.
    pub fn is_behind(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Reads what the store did not give before.
    ///
    /// # Errors
    /// [`RowsError`] where the store still does not answer; what it gave counts.
    pub fn catch_up(&mut self, rows: &Rows) -> Result<(), RowsError> {
        let unread = self.unread.iter().map(|&number| (number, Whose::Changed(&Changed::All)));
        self.read(unread.collect(), rows)
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
        let Some((number, _)) = self.line(dataset) else { return Ok(()) };
        // All of them, where some were not read before.
        let changed = if self.unread.contains(&number) { &Changed::All } else { changed };
        self.read(BTreeMap::from([(number, Whose::Changed(changed))]), rows)
    }

    /// Takes a release over and opens what it allows.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer: what it did not give is unknown until
    /// [`Base::catch_up`].
    pub fn release(&mut self, mut release: VerifiedRelease, rows: &Rows) -> Result<(), RowsError> {
        let Some(number) = self.catalogue.number(&release.header().dataset) else { return Ok(()) };
        let Source::Watch(list) = &mut self.sources[number] else { return Ok(()) };
        let before = list.secrets_for.clone();
        let mut taking = list.begin(&release);
        // All that needs no store comes first, so that none of it is left half done.
        let (mut concerned, entrusted) = self.take_frames(number, &mut release, &mut taking);
        if let Source::Watch(list) = &mut self.sources[number] {
            concerned.extend(list.end(taking));
        }
        self.touched.subjects(&concerned);
        let mut moved = Moved::default();
        for dataset in before {
            let lost = self.withdraw_uncovered(&dataset, &concerned);
            self.replace_households(lost, &mut moved);
        }
        let withdrawn = self.settle_members(moved, rows);
        let entrusted = entrusted.into_iter().filter(|(_, people)| !people.is_empty());
        let entrusted = entrusted.map(|(number, people)| (number, Whose::Entrusted(people)));
        withdrawn.and(self.read(entrusted.collect(), rows))
    }

    /// Whom a release lists, and who can be looked up by line that could not be before.
    fn take_frames(
        &mut self,
        number: DatasetNumber,
        release: &mut VerifiedRelease,
        taking: &mut Taking,
    ) -> (Vec<u32>, ByLine) {
        let secrets_for = release.secrets_for().to_vec();
        let width = secrets_for.len();
        let columns = secrets_for.iter().enumerate();
        let columns = columns.filter_map(|(column, id)| Some((self.line(id)?.0, column)));
        let columns: BTreeMap<DatasetNumber, usize> = columns.collect();
        let (mut listed, mut entrusted) = (vec![], ByLine::new());
        while let Some(frames) = release.next_frames(FRAMES) {
            let Source::Watch(list) = &mut self.sources[number] else { break };
            let first = listed.len();
            for frame in &frames.0 {
                listed.extend(list.take(frame, &mut self.subjects, taking));
            }
            self.grow();
            let new = &listed[first..];
            let entrust = |number: DatasetNumber, line: &mut DataLine| {
                let secrets = frames.0.iter().flat_map(|frame| frame.secrets.as_chunks::<32>().0);
                let secrets = secrets.skip(columns[&number]).step_by(width);
                let people = new.iter().zip(secrets);
                let people =
                    people.filter(|(number, secret)| line.subjects.entrust(**number, secret));
                people.map(|(&number, _)| number).collect::<Vec<u32>>()
            };
            let lines = columns.keys().copied().collect();
            for (line, people) in self.at_once(&lines, new.len(), entrust) {
                entrusted.entry(line).or_default().extend(people);
            }
        }
        (listed, entrusted)
    }

    /// Forgets the secrets of subjects whom no list brings any more for this dataset.
    fn withdraw_uncovered(
        &mut self,
        dataset: &DatasetId,
        concerned: &[u32],
    ) -> Vec<OpenedHousehold> {
        let brings = |list: &WatchList| list.secrets_for.contains(dataset);
        let covered =
            |number: u32| self.watch_lists().any(|(_, list)| list.lists(number) && brings(list));
        let gone: Vec<u32> = concerned.iter().copied().filter(|&n| !covered(n)).collect();
        let Some((_, line)) = self.line(dataset) else { return vec![] };
        line.withdraw_subjects(gone.into_iter())
    }

    /// Reads rows of lines. Of a line that fails everything is read again later.
    fn read(
        &mut self,
        wanted: BTreeMap<DatasetNumber, Whose<'_>>,
        rows: &Rows,
    ) -> Result<(), RowsError> {
        let catalogue = self.catalogue.clone();
        let read = |number: DatasetNumber, line: &mut DataLine| {
            let whose = &wanted[&number];
            let (subjects, members) = whose.of(line);
            let touched = whose.touched(&subjects, &members);
            let read = || {
                let reader = rows.reader(&catalogue.datasets[number].schema)?;
                line.reopen_members(&members, &reader)?;
                if line.has_households() {
                    return Ok(Some((subjects, reader)));
                }
                line.reopen_subjects(&subjects, &reader)?;
                whose.note(line, &reader);
                Ok(None)
            };
            (touched, read())
        };
        let lines = wanted.keys().copied().collect();
        let people = wanted.values().map(|whose| whose.count(self.subjects.len())).max();
        let (mut result, mut moved) = (Ok(()), Moved::default());
        for (number, ((subjects, members), read)) in self.at_once(&lines, people.unwrap_or(0), read)
        {
            self.touched.subjects(&subjects);
            self.touched.members(&members);
            let whose = &wanted[&number];
            let read = match read {
                Ok(Some((subjects, reader))) => {
                    self.read_households((number, whose), (&subjects, &reader), &mut moved)
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            match whose {
                _ if read.is_err() => drop(self.unread.insert(number)),
                Whose::Changed(_) => drop(self.unread.remove(&number)),
                Whose::Entrusted(_) => {}
            }
            result = result.and(read);
        }
        result.and(self.settle_members(moved, rows))
    }

    /// Reads rows of the household dataset, some at a time: every member's secrets are in them.
    fn read_households(
        &mut self,
        (number, whose): (DatasetNumber, &Whose<'_>),
        (subjects, reader): (&Tagged, &RowReader),
        moved: &mut Moved,
    ) -> Result<(), RowsError> {
        for some in subjects.chunks(HOUSEHOLDS) {
            let Source::Line(line) = &mut self.sources[number] else { return Ok(()) };
            let found = line.reopen_subjects(some, reader)?;
            self.replace_households(found, moved);
        }
        if let Source::Line(line) = &mut self.sources[number] {
            whose.note(line, reader);
        }
        Ok(())
    }

    fn replace_households(&mut self, found: Vec<OpenedHousehold>, moved: &mut Moved) {
        let household = self.catalogue.household();
        let schema = household.and_then(|n| self.catalogue.datasets[n].schema.household.clone());
        let Some(schema) = schema else { return };
        let mut entries = vec![];
        for (subject, household) in found {
            self.touched.subjects(&[subject]);
            let (named, unnamed) = self.households.replace(subject, household);
            for (number, _) in &named {
                moved.gone.remove(number);
            }
            entries.extend(named);
            moved.gone.extend(unnamed);
        }
        let members = self.households.numbers.len();
        for (column, dataset) in schema.datasets.iter().enumerate() {
            let Some((line, DataLine { members: people, .. })) = self.line(dataset) else {
                continue;
            };
            people.grow(members);
            let new = entries.iter().filter(|(number, entry): &&(u32, MemberEntry)| {
                people.entrust(*number, entry.secrets[column].expose())
            });
            let new = new.map(|&(number, _)| number);
            moved.entrusted.entry(line).or_default().extend(new);
        }
    }

    /// Opens the rows of household members whose secrets are new; forgets those whom no household names.
    fn settle_members(&mut self, moved: Moved, rows: &Rows) -> Result<(), RowsError> {
        let catalogue = self.catalogue.clone();
        let read = |number: DatasetNumber, line: &mut DataLine| {
            for &member in &moved.gone {
                line.members.withdraw(member);
            }
            let members = line.members.settle(&moved.entrusted[&number]);
            if members.is_empty() {
                return Ok(());
            }
            line.reopen_members(&members, &rows.reader(&catalogue.datasets[number].schema)?)
        };
        let lines = moved.entrusted.keys().copied().collect();
        let people = moved.entrusted.values().map(Vec::len).max();
        moved.entrusted.values().for_each(|members| self.touched.members(members));
        let mut result = Ok(());
        for (number, read) in self.at_once(&lines, people.unwrap_or(0), read) {
            if read.is_err() {
                self.unread.insert(number);
            }
            result = result.and(read);
        }
        result
    }

    fn line(&mut self, dataset: &DatasetId) -> Option<(DatasetNumber, &mut DataLine)> {
        let number = self.catalogue.number(dataset)?;
        match &mut self.sources[number] {
            Source::Line(line) => Some((number, line)),
            Source::Watch(_) => None,
        }
    }

    /// Works on some lines, one on each core at a time where so many people are concerned.
    fn at_once<T: Send>(
        &mut self,
        lines: &BTreeSet<DatasetNumber>,
        people: usize,
        work: impl Fn(DatasetNumber, &mut DataLine) -> T + Sync,
    ) -> Vec<(DatasetNumber, T)> {
        let wanted =
            self.sources.iter_mut().enumerate().filter_map(|(number, source)| match source {
                Source::Line(line) if lines.contains(&number) => Some((number, line)),
                _ => None,
            });
        if people < FEW || lines.len() < 2 {
            return wanted.map(|(number, line)| (number, work(number, line))).collect();
        }
        let waiting = Mutex::new(wanted);
        let next = || waiting.lock().expect("no line is worked on while it is held").next();
        let worker = || {
            let mut done = vec![];
            while let Some((number, line)) = next() {
                done.push((number, work(number, line)));
            }
            done
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
            let done = workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("reading does not panic"));
            done.collect()
        })
    }
}

impl Whose<'_> {
    /// The subjects and household members whose rows are to be read.
    fn of(&self, line: &mut DataLine) -> (Tagged, Tagged) {
        match self {
            Self::Changed(changed) => {
                (line.subjects.concerned(changed), line.members.concerned(changed))
            }
            Self::Entrusted(people) => (line.subjects.settle(people), vec![]),
        }
    }

    /// Their numbers, as far as nobody has noted them yet.
    fn touched(&self, subjects: &Tagged, members: &Tagged) -> (Vec<u32>, Vec<u32>) {
        let numbers = |people: &Tagged| people.iter().map(|&(_, number)| number).collect();
        match self {
            Self::Changed(_) => (numbers(subjects), numbers(members)),
            Self::Entrusted(_) => (vec![], vec![]),
        }
    }

    /// How many they are at most.
    fn count(&self, all: usize) -> usize {
        match self {
            Self::Changed(Changed::All) => all,
            Self::Changed(Changed::Tags(tags)) => tags.len(),
            Self::Entrusted(people) => people.len(),
        }
    }

    /// Notes what was read.
    fn note(&self, line: &mut DataLine, reader: &RowReader) {
        if let Self::Changed(_) = self {
            line.as_of = reader.as_of();
        }
    }
}

//! One category of the base as its agency released it: who is listed, where, with which flags and with
//! which open work orders.
//!
//! The person secrets that came with it are kept by the `data_line`s that they open.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use proto::{
    group,
    name::DatasetId,
    schema::DatasetSchema,
    subject::Subject,
    wire,
    work_order::{self, WorkOrder},
};

use crate::{
    columns::DatasetColumns,
    numbers::Numbers,
    region::{self, SubjectRegions},
    sync::VerifiedRelease,
};

/// The category.
pub struct WatchList {
    /// Flags and membership of every subject.
    pub columns: DatasetColumns,
    /// When the source was last read; absent until something was released in this run.
    pub as_of: Option<Timestamp>,
    /// The datasets whose person secrets each listed subject brings.
    pub secrets_for: Vec<DatasetId>,
    flags: usize,
    /// Of every listed subject, the number of its regions: many have the same.
    listed: HashMap<u32, u32>,
    regions: Numbers<SubjectRegions>,
    /// Of those listed subjects who have any.
    orders: BTreeMap<u32, Vec<WorkOrder>>,
}

/// A release that is being taken over.
pub struct Taking {
    /// Whom the list had, where the release replaces it.
    before: HashMap<u32, u32>,
    /// Whom it has no longer.
    gone: Vec<u32>,
}

impl WatchList {
    /// Nobody, and nothing known.
    pub fn new(schema: &DatasetSchema) -> Self {
        Self {
            columns: DatasetColumns::new(schema),
            as_of: None,
            secrets_for: vec![],
            flags: schema.flags.len(),
            listed: HashMap::new(),
            regions: Numbers::default(),
            orders: BTreeMap::new(),
        }
    }

    /// Whether a subject is listed, as far as is known.
    pub fn lists(&self, subject: u32) -> bool {
        self.columns.listed().is_some_and(|listed| listed.get(subject as usize))
    }

    /// Where a listed subject lives and is registered.
    pub fn regions(&self, subject: u32) -> SubjectRegions {
        self.listed.get(&subject).map(|&number| self.regions.key(number)).unwrap_or_default()
    }

    /// The open work orders of listed subjects.
    pub fn orders(&self) -> &BTreeMap<u32, Vec<WorkOrder>> {
        &self.orders
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Begins to take a release over; its frames follow.
    pub fn begin(&mut self, release: &VerifiedRelease) -> Taking {
        let header = release.header();
        self.as_of = Some(header.as_of);
        self.secrets_for = release.secrets_for().to_vec();
        let mut before = HashMap::new();
        if header.snapshot {
            before = std::mem::take(&mut self.listed);
            self.regions = Numbers::default();
            self.orders.clear();
        }
        Taking { before, gone: vec![] }
    }

    /// Takes a frame over; the numbers of those whom it lists, in its order.
    pub fn take(
        &mut self,
        frame: &wire::SubjectColumns,
        subjects: &mut Numbers<Subject>,
        taking: &mut Taking,
    ) -> Vec<u32> {
        let mut listed = vec![];
        let orders = work_order::of_frame(frame).expect("orders were checked with the group");
        for ((index, subject), orders) in group::subjects(&frame.subjects).enumerate().zip(orders) {
            let number = subjects.intern(subject);
            self.columns.grow(subjects.len());
            let residence = region::checked(frame.residences[index]);
            let registration = region::checked(frame.registrations[index]);
            let regions = self.regions.intern(SubjectRegions { residence, registration });
            self.listed.insert(number, regions);
            if orders.is_empty() {
                self.orders.remove(&number);
            } else {
                self.orders.insert(number, orders);
            }
            self.columns.set_listed(number as usize, true);
            let flags = &frame.flags[index * self.flags..(index + 1) * self.flags];
            self.columns
                .set_flags(number as usize, Some(flags))
                .expect("flag bytes were checked with the group");
            listed.push(number);
        }
        for subject in group::subjects(&frame.deleted_subjects) {
            if let Some(number) = subjects.get(&subject)
                && self.listed.remove(&number).is_some()
            {
                taking.gone.push(number);
            }
        }
        listed
    }

    /// Ends the release; whom it lists no longer.
    pub fn end(&mut self, taking: Taking) -> Vec<u32> {
        let Taking { before, mut gone } = taking;
        let unlisted = before.into_keys().filter(|number| !self.listed.contains_key(number));
        gone.extend(unlisted);
        for &number in &gone {
            self.orders.remove(&number);
            self.columns.set_listed(number as usize, false);
            self.columns.set_flags(number as usize, None).expect("nobody's flags are no bytes");
        }
        gone
    }
}

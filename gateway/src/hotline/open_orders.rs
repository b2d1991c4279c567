//! The work orders that are open now, as the hotlines' agencies released them.
//!
//! Kept in memory and complete at any time: whoever follows compares with what was done before, so that
//! nothing is missed and nothing is done twice, also after a restart.

use std::{collections::BTreeSet, sync::Arc};

use proto::{
    name::{AgencyId, DatasetId},
    subject::Subject,
    work_order::WorkOrder,
};
use tokio::sync::watch;

use crate::base::Base;

/// A work order about somebody in the base.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenOrder {
    /// Whom it is about, in the epoch in force.
    pub subject: Subject,
    /// Whose hotline took it.
    pub agency: AgencyId,
    /// The watch dataset that it came with.
    pub dataset: DatasetId,
    /// Its number and how urgent it is.
    pub order: WorkOrder,
}

/// All of them. Those of an agency that was not heard yet in this run are missing.
pub type OpenOrders = Arc<BTreeSet<OpenOrder>>;

/// Tells of the orders that a base has.
pub struct OrderBoard(watch::Sender<OpenOrders>);

impl Default for OrderBoard {
    fn default() -> Self {
        Self(watch::Sender::new(OpenOrders::default()))
    }
}

impl OrderBoard {
    /// The orders now, and every later change of them.
    pub fn subscribe(&self) -> watch::Receiver<OpenOrders> {
        self.0.subscribe()
    }

    /// Tells of what the base has now, where that is something else than before.
    pub fn show(&self, base: &Base) {
        let open: BTreeSet<OpenOrder> = open(base).collect();
        self.0.send_if_modified(|shown| {
            let other = **shown != open;
            if other {
                *shown = Arc::new(open);
            }
            other
        });
    }
}

fn open(base: &Base) -> impl Iterator<Item = OpenOrder> {
    base.watch_lists().flat_map(move |(number, list)| {
        let dataset = &base.catalogue().datasets[number];
        list.orders().iter().flat_map(move |(&subject, orders)| {
            orders.iter().map(move |&order| OpenOrder {
                subject: base.subject(subject),
                agency: dataset.agency.clone(),
                dataset: dataset.schema.dataset.clone(),
                order,
            })
        })
    })
}

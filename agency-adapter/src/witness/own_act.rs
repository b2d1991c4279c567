//! An act of this adapter that the gateway's log must have an entry of, and which entry that is.
//!
//! Which acts wait is `acts`'s business.

use jiff::Timestamp;
use proto::{
    act::Act,
    cursor::Cursor,
    entry::Entry,
    group_fault::GroupFault,
    hex_bytes::HexBytes,
    name::{AgencyId, DatasetId},
};
use serde::{Deserialize, Serialize};

/// Something that was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OwnAct {
    /// A group of sealed rows, sent to its end.
    Sync(Group),
    /// A group of subjects, sent to its end.
    Release(Group),
    /// A batch of evaluations, answered by this agency as holder or received as requester.
    Evaluations {
        /// The key period.
        epoch: u32,
        /// Who asked.
        requester: AgencyId,
        /// Who answered.
        holder: AgencyId,
    },
    /// Work orders that were taken back, all of one call.
    OrdersReturned {
        /// The dataset that they came with.
        dataset: DatasetId,
    },
}

/// What an entry says of an own act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounted {
    /// Which.
    pub act: OwnAct,
    /// How often it was done.
    pub times: u64,
    /// When and why the gateway refused a group; absent where it did not.
    pub refused: Option<(Timestamp, GroupFault)>,
}

/// A group and the place that it led the gateway to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    epoch: u32,
    dataset: DatasetId,
    log: HexBytes<16>,
    version: u32,
}

impl OwnAct {
    /// Sealed rows of `dataset`, up to `cursor`.
    pub fn sync(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Self {
        Self::Sync(Group::new(epoch, dataset, cursor))
    }

    /// Subjects of `dataset`, up to `cursor`.
    pub fn release(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Self {
        Self::Release(Group::new(epoch, dataset, cursor))
    }

    /// What a log entry accounts for of this agency's acts. An entry of a newer form accounts for
    /// nothing.
    pub fn accounted(entry: &[u8], agency: &AgencyId) -> Option<Accounted> {
        let entry = Entry::parse(entry).ok()?;
        let once = |act, refused| Some(Accounted { act, times: 1, refused });
        let fault = |fault| Some((entry.at(), fault));
        match entry.act().clone() {
            Act::SyncAccepted { agency: of, dataset, epoch, log, version, .. } if of == *agency => {
                once(Self::Sync(Group { epoch, dataset, log, version }), None)
            }
            Act::ReleaseUsed { agency: of, dataset, epoch, log, version, .. } if of == *agency => {
                once(Self::Release(Group { epoch, dataset, log, version }), None)
            }
            Act::SyncRefused { agency: of, dataset, epoch, log, version, fault: why }
                if of == *agency =>
            {
                once(Self::Sync(Group { epoch, dataset, log, version }), fault(why))
            }
            Act::ReleaseRefused { agency: of, dataset, epoch, log, version, fault: why }
                if of == *agency =>
            {
                once(Self::Release(Group { epoch, dataset, log, version }), fault(why))
            }
            Act::EvaluationsRelayed { requester, holder, epoch, batches, .. }
                if [&requester, &holder].contains(&agency) =>
            {
                let act = Self::Evaluations { epoch, requester, holder };
                Some(Accounted { act, times: batches, refused: None })
            }
            Act::OrdersReturned { agency: of, dataset, .. } if of == *agency => {
                once(Self::OrdersReturned { dataset }, None)
            }
            _ => None,
        }
    }

    /// Whether equal acts are counted, and not one act.
    pub fn is_counted(&self) -> bool {
        matches!(self, Self::Evaluations { .. } | Self::OrdersReturned { .. })
    }

    /// Whether both are about one dataset, so that the later accounts for the earlier.
    pub fn covers(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Sync(a), Self::Sync(b)) | (Self::Release(a), Self::Release(b)) => {
                (a.epoch, &a.dataset) == (b.epoch, &b.dataset)
            }
            _ => false,
        }
    }
}

impl Group {
    fn new(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Self {
        Self { epoch, dataset: dataset.clone(), log: HexBytes(cursor.log), version: cursor.version }
    }
}

/// What a person reads of an act.
impl std::fmt::Display for OwnAct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sync(group) => write!(f, "sync {group}"),
            Self::Release(group) => write!(f, "release {group}"),
            Self::Evaluations { epoch, requester, holder } => {
                write!(f, "evaluations {requester} -> {holder}, epoch {epoch}")
            }
            Self::OrdersReturned { dataset } => write!(f, "returned work orders of {dataset}"),
        }
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cursor = Cursor { log: self.log.0, version: self.version };
        write!(f, "{} {cursor}, epoch {}", self.dataset, self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use proto::entry::Actor;

    use super::*;

    fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().expect("a name")
    }

    #[test]
    fn an_entry_accounts_for_the_acts_of_the_agency_that_it_names() {
        let bytes = |act| Entry::new(Timestamp::UNIX_EPOCH, Actor::Gateway, act).to_bytes();
        let sync = bytes(Act::SyncAccepted {
            agency: name("tax"),
            dataset: name("income"),
            epoch: 3,
            log: HexBytes([1; 16]),
            version: 2,
            rows: 9,
            deleted: 0,
        });
        let cursor = Cursor { log: [1; 16], version: 2 };
        let act = OwnAct::sync(3, &name("income"), cursor);
        let accounted = Accounted { act: act.clone(), times: 1, refused: None };
        assert_eq!(OwnAct::accounted(&sync, &name("tax")), Some(accounted));
        assert_eq!(OwnAct::accounted(&sync, &name("aid")), None);
        let refused = bytes(Act::SyncRefused {
            agency: name("tax"),
            dataset: name("income"),
            epoch: 3,
            log: HexBytes([1; 16]),
            version: 2,
            fault: GroupFault::RowSize,
        });
        let why = Some((Timestamp::UNIX_EPOCH, GroupFault::RowSize));
        let accounted = Accounted { act, times: 1, refused: why };
        assert_eq!(OwnAct::accounted(&refused, &name("tax")), Some(accounted));
        assert_eq!(OwnAct::accounted(b"{}", &name("tax")), None);
        let (requester, holder) = (name("aid"), name("tax"));
        let act = OwnAct::Evaluations { epoch: 3, requester, holder };
        let (requester, holder) = (name("aid"), name("tax"));
        let relayed = Act::EvaluationsRelayed {
            requester,
            holder,
            epoch: 3,
            batches: 7,
            elements: 9,
            refused: 1,
        };
        for agency in ["aid", "tax"] {
            let accounted = OwnAct::accounted(&bytes(relayed.clone()), &name(agency));
            let seven = Accounted { act: act.clone(), times: 7, refused: None };
            assert_eq!(accounted, Some(seven), "{agency}");
        }
        assert_eq!(OwnAct::accounted(&bytes(relayed), &name("police")), None);
        let (agency, dataset, orders) = (name("hotline"), name("work_order"), vec![12, 13]);
        let returned = bytes(Act::OrdersReturned { agency, dataset, orders });
        let act = OwnAct::OrdersReturned { dataset: name("work_order") };
        let once = Accounted { act, times: 1, refused: None };
        assert_eq!(OwnAct::accounted(&returned, &name("hotline")), Some(once), "one call");
        assert_eq!(OwnAct::accounted(&returned, &name("aid")), None);
    }
}

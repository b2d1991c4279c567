//! The life of a case: which event may follow which, and what a case is after it (PROTOCOL.md section
//! 19.3).
//!
//! The one state machine; pure. Folding the events that the access log has of a case gives the case.
//! Who may take which step is `step`'s business, what the gateway does by itself `by_itself`'s.

use jiff::{Timestamp, civil::Date};
use proto::{
    alert_id::AlertId,
    case_event::{AssistanceKind, CaseEvent, Deadline, Outcome, ReturnReason, Tier, Urgency},
    entry::Actor,
    hex_bytes::HexBytes,
    name::{AgencyId, DatasetId},
    region_code::RegionCode,
};
use serde::{Deserialize, Serialize};

pub use super::refused::Refused;

/// How far help has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md section 19.1 says what they mean")]
pub enum Stage {
    Pending,
    Suppressed,
    New,
    Routed,
    Acknowledged,
    Visited,
    Decided,
    Closed,
    Returned,
    Joined,
    Withdrawn,
}

/// A case as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// How far help has come.
    pub stage: Stage,
    /// Who looks to it.
    pub tier: Tier,
    /// Whose it is; empty before it is routed, and where no region is known.
    pub region: RegionCode,
    /// Who is to take it or has taken it.
    pub officer: Option<AgencyId>,
    /// The number of its last event.
    pub number: u64,
    /// When what its stage asks for is due.
    pub due_at: Option<Timestamp>,
    /// Of a suppressed or closed case: until when no other is raised.
    pub until: Option<Timestamp>,
    /// Relief given before the papers.
    pub relief: Option<Relief>,
    /// What else was given, in the order in which it was.
    pub assistance: Vec<AssistanceKind>,
    /// Work orders, in the order in which they came.
    pub orders: Vec<Order>,
    /// When the person was last visited.
    pub visited_on: Option<Date>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// How often it was returned since it was opened.
    pub returns: u32,
    /// Whether the alert was withdrawn when somebody had been there already.
    pub facts_gone: bool,
    /// Contact details asked for.
    pub disclosures: Vec<Disclosure>,
    /// Where it goes on.
    pub joined_to: Option<AlertId>,
}

/// Relief given before the papers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relief {
    /// What was given.
    pub kind: AssistanceKind,
    /// When the papers are due; nothing once they are complete.
    pub papers_due_at: Option<Timestamp>,
}

/// A work order about the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who sent it.
    pub agency: AgencyId,
    /// In which dataset.
    pub dataset: DatasetId,
    /// Its number there.
    pub order: u64,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Why it went back, if it did.
    pub returned: Option<ReturnReason>,
}

/// Contact details asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// Its id.
    pub id: HexBytes<16>,
    /// Who asked.
    pub officer: AgencyId,
    /// Whether they were given, and if so whether without an approval before.
    pub emergency: Option<bool>,
}

impl Stage {
    /// Every stage, in the order of their numbers in the store and on the wire.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Suppressed,
        Self::New,
        Self::Routed,
        Self::Acknowledged,
        Self::Visited,
        Self::Decided,
        Self::Closed,
        Self::Returned,
        Self::Joined,
        Self::Withdrawn,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Suppressed => "suppressed",
            Self::New => "new",
            Self::Routed => "routed",
            Self::Acknowledged => "acknowledged",
            Self::Visited => "visited",
            Self::Decided => "decided",
            Self::Closed => "closed",
            Self::Returned => "returned",
            Self::Joined => "joined",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether something is still to be done.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Joined | Self::Withdrawn)
    }

    /// The stage after an event of this kind, where it may follow; marks decide the rest.
    fn after(self, event: &CaseEvent) -> Option<Self> {
        use CaseEvent as E;
        use Stage::*;
        let (stays, to) = (|may: bool| may.then_some(self), |may: bool, to| may.then_some(to));
        let in_hand = matches!(self, Acknowledged | Visited | Decided);
        match event {
            E::Waiting {} => None,
            E::Opened { .. } => to(matches!(self, Pending | Suppressed), New),
            E::Suppressed { .. } => to(self == Pending, Suppressed),
            E::Routed { .. } => to(matches!(self, New | Routed | Acknowledged | Returned), Routed),
            E::Assigned { .. } if matches!(self, Visited | Decided) => Some(self),
            E::Assigned { .. } => to(matches!(self, Routed | Acknowledged | Returned), Routed),
            E::Acknowledged { .. } => to(self == Routed, Acknowledged),
            E::Returned { .. } => to(matches!(self, Routed | Acknowledged), Returned),
            E::Escalated { .. } => stays(in_hand || matches!(self, Routed | Returned)),
            E::HelpRequested { .. } | E::OrderReturned { .. } => stays(self.is_open()),
            E::JoinedTo { .. } => to(matches!(self, Pending | Suppressed | New | Routed), Joined),
            E::DisclosureAsked { .. } | E::Disclosed { .. } => stays(in_hand),
            E::Visited { .. } => to(matches!(self, Acknowledged | Visited), Visited),
            E::ReliefFirst { .. } | E::PapersCompleted {} => stays(in_hand),
            E::AssistanceGiven { .. } => stays(matches!(self, Visited | Decided)),
            E::OutcomeRecorded { .. } => to(matches!(self, Visited | Decided | Returned), Decided),
            E::Closed { .. } => to(self == Decided, Closed),
            E::Withdrawn {} => stays(self != Withdrawn),
            E::Reopened { .. } => to(!self.is_open(), New),
        }
    }
}

impl Case {
    /// A case that begins.
    ///
    /// # Errors
    /// [`Refused`] where no case begins with this event.
    pub fn begin(event: &CaseEvent) -> Result<Self, Refused> {
        let (stage, due_at, until) = match event {
            CaseEvent::Opened { due_at } => (Stage::New, Some(*due_at), None),
            CaseEvent::Waiting {} => (Stage::Pending, None, None),
            CaseEvent::Suppressed { until } => (Stage::Suppressed, None, Some(*until)),
            _ => return Err(Refused::Stage(Stage::Pending)),
        };
        Ok(Self {
            stage,
            tier: Tier::Worker,
            region: RegionCode::default(),
            officer: None,
            number: 1,
            due_at,
            until,
            relief: None,
            assistance: vec![],
            orders: vec![],
            visited_on: None,
            outcome: None,
            returns: 0,
            facts_gone: false,
            disclosures: vec![],
            joined_to: None,
        })
    }

    /// The case after an event that somebody caused.
    ///
    /// # Errors
    /// [`Refused`] where the event cannot follow.
    pub fn apply(&self, event: &CaseEvent, by: &Actor) -> Result<Self, Refused> {
        let stage = self.stage.after(event).ok_or(Refused::Stage(self.stage))?;
        self.check(event, by)?;
        // A case that begins anew without its facts is not withdrawn again.
        let facts_gone = self.facts_gone || self.stage == Stage::Withdrawn;
        let number = self.number + 1;
        let mut case = Self { stage, number, facts_gone, ..self.clone() };
        case.take(event, by);
        Ok(case)
    }

    /// Whether relief first was given and its papers are missing.
    pub fn lacks_papers(&self) -> bool {
        self.relief.as_ref().is_some_and(|relief| relief.papers_due_at.is_some())
    }

    /// Work orders that were not returned.
    pub fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(|order| order.returned.is_none())
    }

    fn open_order(&self, dataset: &DatasetId, number: u64) -> Option<&Order> {
        self.open_orders().find(|order| order.dataset == *dataset && order.order == number)
    }

    fn check(&self, event: &CaseEvent, by: &Actor) -> Result<(), Refused> {
        use CaseEvent as E;
        let refuse = |when: bool, refused: Refused| if when { Err(refused) } else { Ok(()) };
        match event {
            E::Acknowledged { .. } => match (by, &self.officer) {
                (Actor::Officer(id), Some(other)) if id != other => {
                    Err(Refused::AnothersToTake(other.clone()))
                }
                (Actor::Officer(_), _) => Ok(()),
                _ => Err(Refused::NotTheirs),
            },
            E::DisclosureAsked { .. } => {
                let theirs = matches!(by, Actor::Officer(id) if self.officer.as_ref() == Some(id));
                refuse(!theirs, Refused::NotTheirs)
            }
            E::Disclosed { disclosure, .. } => {
                let asked = |d: &&Disclosure| d.id == *disclosure && d.emergency.is_none();
                let asked = self.disclosures.iter().find(asked).ok_or(Refused::NoDisclosure)?;
                refuse(self.officer.as_ref() != Some(&asked.officer), Refused::AnothersNow)
            }
            E::Escalated { tier, .. } => refuse(*tier <= self.tier, Refused::Escalated),
            E::HelpRequested { dataset, order, .. } => {
                let has = |it: &Order| it.dataset == *dataset && it.order == *order;
                refuse(self.orders.iter().any(has), Refused::HasOrder)
            }
            E::OrderReturned { dataset, order, .. } => {
                refuse(self.open_order(dataset, *order).is_none(), Refused::NoOrder)
            }
            E::ReliefFirst { .. } => refuse(self.relief.is_some(), Refused::Relieved),
            E::PapersCompleted {} => refuse(!self.lacks_papers(), Refused::NoPapers),
            E::Closed { .. } | E::JoinedTo { .. } => {
                refuse(self.lacks_papers(), Refused::PapersMissing)
            }
            E::Withdrawn {} => refuse(self.facts_gone, Refused::FactsGone),
            _ => Ok(()),
        }
    }

    /// What the event says becomes part of the case, whose stage is the one after it.
    fn take(&mut self, event: &CaseEvent, by: &Actor) {
        use CaseEvent as E;
        match event {
            E::Opened { due_at } => (self.due_at, self.until) = (Some(*due_at), None),
            E::Suppressed { until } => self.until = Some(*until),
            E::Routed { region, tier, due_at } => {
                (self.region, self.tier) = (region.clone(), *tier);
                (self.officer, self.due_at) = (None, Some(*due_at));
            }
            E::Assigned { officer, due_at } => {
                self.officer = Some(officer.clone());
                // Once somebody was visited the old deadline stays.
                if self.stage == Stage::Routed {
                    self.due_at = Some(*due_at);
                }
            }
            E::Acknowledged { due_at } => {
                if let Actor::Officer(id) = by {
                    self.officer = Some(id.clone());
                }
                self.due_at = Some(*due_at);
            }
            E::Returned { tier, due_at, .. } => {
                (self.tier, self.officer, self.due_at) = (*tier, None, Some(*due_at));
                self.returns += 1;
            }
            E::JoinedTo { alert } => {
                (self.joined_to, self.due_at, self.until) = (Some(alert.clone()), None, None);
            }
            E::Visited { on, due_at } => {
                (self.visited_on, self.due_at) = (Some(*on), Some(*due_at));
            }
            E::OutcomeRecorded { outcome } => {
                (self.outcome, self.due_at) = (Some(*outcome), None);
            }
            E::Closed { until } => (self.due_at, self.until) = (None, Some(*until)),
            E::Reopened { due_at } => self.begin_anew(*due_at),
            E::Withdrawn {} => self.withdraw(),
            E::Escalated { missed, tier, due_at } => self.escalate(*missed, *tier, *due_at),
            _ => self.mark(event, by),
        }
    }

    /// The same of events that leave the stage as it is.
    fn mark(&mut self, event: &CaseEvent, by: &Actor) {
        use CaseEvent as E;
        match event {
            E::AssistanceGiven { kind } => self.assistance.push(*kind),
            E::HelpRequested { agency, dataset, order, urgency } => self.orders.push(Order {
                agency: agency.clone(),
                dataset: dataset.clone(),
                order: *order,
                urgency: *urgency,
                returned: None,
            }),
            E::OrderReturned { dataset, order, reason } => {
                let theirs = |it: &&mut Order| it.dataset == *dataset && it.order == *order;
                self.orders.iter_mut().filter(theirs).for_each(|it| it.returned = Some(*reason));
            }
            E::DisclosureAsked { disclosure } => {
                if let Actor::Officer(id) = by {
                    let (id, officer) = (*disclosure, id.clone());
                    self.disclosures.push(Disclosure { id, officer, emergency: None });
                }
            }
            E::Disclosed { disclosure, emergency } => {
                let asked = self.disclosures.iter_mut().filter(|it| it.id == *disclosure);
                asked.for_each(|it| it.emergency = Some(*emergency));
            }
            E::ReliefFirst { kind, papers_due_at } => {
                self.relief = Some(Relief { kind: *kind, papers_due_at: Some(*papers_due_at) });
            }
            E::PapersCompleted {} => {
                self.relief.iter_mut().for_each(|relief| relief.papers_due_at = None);
            }
            _ => {}
        }
    }

    fn escalate(&mut self, missed: Deadline, tier: Tier, due_at: Timestamp) {
        self.tier = tier;
        match missed {
            Deadline::Papers => {
                self.relief.iter_mut().for_each(|relief| relief.papers_due_at = Some(due_at));
            }
            Deadline::Acknowledge | Deadline::Visit | Deadline::Decide => {
                self.due_at = Some(due_at);
            }
        }
    }

    /// Nobody need go there any more, unless somebody was there.
    fn withdraw(&mut self) {
        let untouched = self.stage.is_open()
            && !matches!(self.stage, Stage::Visited | Stage::Decided)
            && self.relief.is_none();
        if untouched {
            (self.stage, self.due_at, self.until) = (Stage::Withdrawn, None, None);
        } else {
            self.facts_gone = true;
        }
    }

    /// What was given and disclosed stays.
    fn begin_anew(&mut self, due_at: Timestamp) {
        (self.tier, self.officer, self.returns) = (Tier::Worker, None, 0);
        (self.visited_on, self.outcome, self.relief) = (None, None, None);
        (self.due_at, self.until, self.joined_to) = (Some(due_at), None, None);
    }
}

#[cfg(test)]
mod tests;

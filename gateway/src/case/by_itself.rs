//! What the gateway does in a case by itself: it follows the alert, gives cases to regions, lets deadlines
//! pass and ends what was put off (PROTOCOL.md section 19.4).
//!
//! Pure: one event at a time, until there is none. When to ask is `desk`'s business.

use jiff::Timestamp;
use proto::{
    alert_id::AlertId,
    case_event::{CaseEvent, Deadline, Tier},
    region_code::RegionCode,
};

use super::{
    lifecycle::{Case, Order, Stage},
    terms::{Terms, above, due_in, whole_seconds},
};
use crate::{alert::State, hotline::open_orders::OpenOrder};

/// What is so around a case at a moment.
pub struct Surroundings<'a> {
    /// The time now.
    pub now: Timestamp,
    /// What the policy says.
    pub terms: &'a Terms,
    /// The alert's rule.
    pub rule: &'a str,
    /// What detection says.
    pub alert: State,
    /// Where the person is.
    pub region: RegionCode,
    /// Until when a closed case of the same subject and rule suppresses this one.
    pub suppressed_until: Option<Timestamp>,
    /// Another open case of the same person, into which a case that joins can go.
    pub other: Option<AlertId>,
    /// Work orders about the person that no case has yet.
    pub orders: Vec<OpenOrder>,
}

impl Surroundings<'_> {
    /// The event that comes now, if one does.
    pub fn next(&self, case: Option<&Case>) -> Option<CaseEvent> {
        let Some(case) = case else { return self.first() };
        if self.alert == State::Withdrawn && !case.facts_gone && case.stage != Stage::Withdrawn {
            return Some(CaseEvent::Withdrawn {});
        }
        let new = self.orders.iter().find(|order| !has(case, order));
        if let Some(order) = new.filter(|_| case.stage.is_open()) {
            return Some(requested(order));
        }
        // Who asks for help is not made to wait.
        let asks = case.open_orders().next().is_some();
        match case.stage {
            Stage::Pending if asks => Some(self.opened()),
            Stage::Pending if self.alert != State::Pending => Some(self.begins()),
            Stage::Suppressed if asks || self.is_past(case.until) => Some(self.opened()),
            Stage::New => Some(self.joined(case).unwrap_or_else(|| self.routed())),
            Stage::Routed if self.joined(case).is_some() => self.joined(case),
            Stage::Closed if self.holds() && !case.facts_gone && self.is_past(case.until) => {
                Some(CaseEvent::Reopened { due_at: self.acknowledged_by(Tier::Worker) })
            }
            _ => self.escalated(case),
        }
    }

    /// When something changes in a case although nothing else does.
    pub fn wake_at(&self, case: &Case) -> Option<Timestamp> {
        let waits = match case.stage {
            Stage::Suppressed => case.until,
            Stage::Closed if self.holds() && !case.facts_gone => case.until,
            _ => None,
        };
        let deadlines = above(case.tier).map(|_| self.deadlines(case));
        let deadlines = deadlines.into_iter().flatten().map(|(_, at)| at);
        let reminders = self.deadlines(case).map(remind_at);
        deadlines.chain(reminders).chain(waits).filter(|at| *at > self.now).min()
    }

    /// What is due before long, where something is.
    pub fn due_soon(&self, case: &Case) -> Option<Timestamp> {
        let soon = |it: &(Deadline, Timestamp)| (remind_at(*it)..it.1).contains(&self.now);
        self.deadlines(case).filter(soon).map(|(_, at)| at).min()
    }

    /// Whether the alert says that somebody should be visited.
    fn holds(&self) -> bool {
        matches!(self.alert, State::Open | State::Incomplete)
    }

    fn is_past(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| self.now >= at)
    }

    fn first(&self) -> Option<CaseEvent> {
        match self.alert {
            State::Withdrawn => None,
            State::Pending => Some(CaseEvent::Waiting {}),
            State::Open | State::Incomplete => Some(self.begins()),
        }
    }

    fn begins(&self) -> CaseEvent {
        match self.suppressed_until.filter(|until| *until > self.now) {
            Some(until) => CaseEvent::Suppressed { until: whole_seconds(until) },
            None => self.opened(),
        }
    }

    fn opened(&self) -> CaseEvent {
        CaseEvent::Opened { due_at: self.acknowledged_by(Tier::Worker) }
    }

    fn acknowledged_by(&self, tier: Tier) -> Timestamp {
        self.terms.due(self.now, self.terms.acknowledge(tier))
    }

    /// To the other case of the person, where cases of the rule do so.
    fn joined(&self, case: &Case) -> Option<CaseEvent> {
        let joins = self.terms.joins(self.rule) && !case.lacks_papers();
        let alert = self.other.clone().filter(|_| joins)?;
        Some(CaseEvent::JoinedTo { alert })
    }

    /// To its region; to the district where none is known.
    fn routed(&self) -> CaseEvent {
        let region = self.region.clone();
        let tier = if region.as_str().is_empty() { Tier::District } else { Tier::Worker };
        CaseEvent::Routed { region, tier, due_at: self.acknowledged_by(tier) }
    }

    fn deadlines(&self, case: &Case) -> impl Iterator<Item = (Deadline, Timestamp)> {
        let of_stage = due_in(case.stage).zip(case.due_at);
        let papers = case.relief.as_ref().and_then(|relief| relief.papers_due_at);
        let papers = papers.filter(|_| case.stage.is_open() && case.stage != Stage::New);
        of_stage.into_iter().chain(papers.map(|at| (Deadline::Papers, at)))
    }

    fn escalated(&self, case: &Case) -> Option<CaseEvent> {
        let tier = above(case.tier)?;
        let (missed, _) = self.deadlines(case).find(|(_, at)| self.now >= *at)?;
        Some(CaseEvent::Escalated { missed, tier, due_at: self.acknowledged_by(tier) })
    }
}

/// When those concerned are reminded: an hour before a case is to be taken, a day before anything else.
fn remind_at((due, at): (Deadline, Timestamp)) -> Timestamp {
    let before = if due == Deadline::Acknowledge { 1 } else { 24 };
    at.checked_sub(jiff::SignedDuration::from_hours(before)).unwrap_or(at)
}

fn has(case: &Case, order: &OpenOrder) -> bool {
    let same = |it: &Order| it.dataset == order.dataset && it.order == order.order.number;
    case.orders.iter().any(same)
}

fn requested(order: &OpenOrder) -> CaseEvent {
    CaseEvent::HelpRequested {
        agency: order.agency.clone(),
        dataset: order.dataset.clone(),
        order: order.order.number,
        urgency: order.order.urgency,
    }
}

#[cfg(test)]
mod tests {
    use proto::{case_event::Urgency, entry::Actor, work_order::WorkOrder};

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}:00+08:00").parse().expect("a time")
    }

    fn terms() -> Terms {
        crate::policy::Policy::parse(include_str!("../../../deploy/policy/default.toml"))
            .expect("good")
            .cases
    }

    /// Everything that the gateway does by itself at a moment.
    fn settle(around: &Surroundings<'_>, mut case: Option<Case>) -> (Option<Case>, Vec<CaseEvent>) {
        let mut events = vec![];
        while let Some(event) = around.next(case.as_ref()) {
            case = Some(match &case {
                None => Case::begin(&event).expect("it begins so"),
                Some(case) => case.apply(&event, &Actor::Gateway).expect("it follows"),
            });
            events.push(event);
            assert!(events.len() < 10, "it comes to an end: {events:?}");
        }
        (case, events)
    }

    fn around(terms: &Terms, alert: State, now: &str) -> Surroundings<'static> {
        Surroundings {
            now: at(now),
            // A test's terms live as long as the test program.
            terms: Box::leak(Box::new(terms.clone())),
            rule: "illness-uncovered",
            alert,
            region: "320104002003".parse().expect("a code"),
            suppressed_until: None,
            other: None,
            orders: vec![],
        }
    }

    fn step(case: &Case, event: CaseEvent) -> Case {
        let li = Actor::Officer("li".parse().expect("a name"));
        case.apply(&event, &li).expect("it follows")
    }

    fn closed(case: Case, until: &str) -> Case {
        let due_at = at("2026-12-01T17:00");
        let taken = step(&case, CaseEvent::Acknowledged { due_at });
        let visited =
            step(&taken, CaseEvent::Visited { on: jiff::civil::date(2026, 11, 25), due_at });
        let outcome = proto::case_event::Outcome::NoNeed;
        let decided = step(&visited, CaseEvent::OutcomeRecorded { outcome });
        step(&decided, CaseEvent::Closed { until: at(until) })
    }

    #[test]
    fn an_open_alert_is_a_case_of_its_region_at_once_and_a_pending_one_waits() {
        let terms = terms();
        let pending = around(&terms, State::Pending, "2026-11-24T12:00");
        let (case, events) = settle(&pending, None);
        assert_eq!(events, [CaseEvent::Waiting {}]);
        let (case, _) = settle(&around(&terms, State::Incomplete, "2026-11-24T12:00"), case);
        let case = case.expect("there");
        assert_eq!((case.stage, case.tier), (Stage::Routed, Tier::Worker));
        assert_eq!(case.region.as_str(), "320104002003");
        assert_eq!(case.due_at, Some(at("2026-11-24T16:00")));
        assert_eq!(pending.wake_at(&case), Some(at("2026-11-24T15:00")), "somebody is reminded");
        let soon = around(&terms, State::Open, "2026-11-24T15:00");
        assert_eq!((pending.due_soon(&case), soon.due_soon(&case)), (None, case.due_at));
        assert_eq!(soon.wake_at(&case), case.due_at);
        assert_eq!(settle(&around(&terms, State::Withdrawn, "2026-11-24T12:00"), None).0, None);
    }

    #[test]
    fn a_person_without_a_region_is_the_districts() {
        let terms = terms();
        let nowhere = RegionCode::default();
        let around =
            Surroundings { region: nowhere, ..around(&terms, State::Open, "2026-11-24T12:00") };
        let case = settle(&around, None).0.expect("there");
        assert_eq!((case.stage, case.tier), (Stage::Routed, Tier::District));
    }

    #[test]
    fn a_missed_deadline_goes_up_one_tier_at_a_time_and_ends_at_the_district() {
        let terms = terms();
        let case = settle(&around(&terms, State::Open, "2026-11-24T12:00"), None).0;
        let early = around(&terms, State::Open, "2026-11-24T15:59");
        assert_eq!(early.next(case.as_ref()), None);
        let (case, events) = settle(&around(&terms, State::Open, "2026-11-24T16:00"), case);
        let (missed, due_at) = (Deadline::Acknowledge, at("2026-11-25T12:00"));
        assert_eq!(events, [CaseEvent::Escalated { missed, tier: Tier::Street, due_at }]);
        let late = around(&terms, State::Open, "2026-11-25T12:00");
        let (case, events) = settle(&late, case);
        let due_at = at("2026-11-26T17:00");
        assert_eq!(events, [CaseEvent::Escalated { missed, tier: Tier::District, due_at }]);
        let never = around(&terms, State::Open, "2027-01-25T12:00");
        assert_eq!(never.next(case.as_ref()), None);
        assert_eq!(never.wake_at(&case.expect("there")), None, "it stays overdue");
    }

    #[test]
    fn papers_are_waited_for_beside_everything_else() {
        let terms = terms();
        let case = settle(&around(&terms, State::Open, "2026-11-24T12:00"), None).0.expect("there");
        let taken = step(&case, CaseEvent::Acknowledged { due_at: at("2026-11-27T17:00") });
        let kind = proto::case_event::AssistanceKind::Money;
        let papers_due_at = at("2026-11-26T17:00");
        let relieved = step(&taken, CaseEvent::ReliefFirst { kind, papers_due_at });
        let now = around(&terms, State::Open, "2026-11-25T17:00");
        assert_eq!(now.due_soon(&relieved), Some(papers_due_at), "the first of two");
        let late = around(&terms, State::Open, "2026-11-26T17:00");
        let Some(CaseEvent::Escalated { missed, tier, .. }) = late.next(Some(&relieved)) else {
            panic!("nothing came")
        };
        assert_eq!((missed, tier), (Deadline::Papers, Tier::Street));
    }

    #[test]
    fn a_case_after_a_closed_one_is_put_off_unless_somebody_asks_for_help() {
        let terms = terms();
        let until = Some(at("2026-12-24T12:00"));
        let put_off = Surroundings {
            suppressed_until: until,
            ..around(&terms, State::Open, "2026-11-24T12:00")
        };
        let (case, events) = settle(&put_off, None);
        assert_eq!(events, [CaseEvent::Suppressed { until: at("2026-12-24T12:00") }]);
        assert_eq!(put_off.wake_at(case.as_ref().expect("there")), until);
        let order = OpenOrder {
            subject: proto::subject::Subject([7; 16]),
            agency: "hotline".parse().expect("a name"),
            dataset: "work_order".parse().expect("a name"),
            order: WorkOrder { number: 7, urgency: Urgency::Routine },
        };
        let asking =
            Surroundings { orders: vec![order], ..around(&terms, State::Open, "2026-11-25T12:00") };
        let joined = asking.next(case.as_ref()).expect("the order comes");
        let asked = case.as_ref().expect("there").apply(&joined, &Actor::Gateway).expect("joins");
        let answered = around(&terms, State::Open, "2026-11-25T12:00");
        assert_eq!(settle(&answered, Some(asked)).0.expect("there").stage, Stage::Routed);
        let over = around(&terms, State::Open, "2026-12-24T12:00");
        assert_eq!(settle(&over, case).0.expect("there").stage, Stage::Routed);
    }

    #[test]
    fn a_closed_case_whose_facts_still_hold_begins_anew_when_the_time_is_over() {
        let terms = terms();
        let case = settle(&around(&terms, State::Open, "2026-11-24T12:00"), None).0.expect("there");
        let closed = closed(case, "2026-12-24T12:00");
        let soon = around(&terms, State::Open, "2026-12-24T11:59");
        assert_eq!(soon.next(Some(&closed)), None);
        assert_eq!(soon.wake_at(&closed), closed.until);
        let over = around(&terms, State::Open, "2026-12-24T12:00");
        assert_eq!(settle(&over, Some(closed.clone())).0.expect("there").stage, Stage::Routed);
        let gone = around(&terms, State::Withdrawn, "2026-12-01T12:00");
        let (gone, events) = settle(&gone, Some(closed));
        assert_eq!(events, [CaseEvent::Withdrawn {}]);
        assert_eq!(over.next(gone.as_ref()), None, "nothing holds any more");
    }

    #[test]
    fn a_case_of_a_rule_that_joins_goes_on_in_the_other_case_of_the_person() {
        let mut terms = terms();
        let joins = super::super::terms::RuleTerms { joins: true, ..Default::default() };
        terms.rules.insert("illness-uncovered".into(), joins);
        let other: AlertId = "AL-0123-ABCD-XYZ9".parse().expect("an id");
        let around = Surroundings {
            other: Some(other.clone()),
            ..around(&terms, State::Open, "2026-11-24T12:00")
        };
        let (case, events) = settle(&around, None);
        assert_eq!(events.last(), Some(&CaseEvent::JoinedTo { alert: other }));
        assert_eq!(case.expect("there").stage, Stage::Joined);
    }
}

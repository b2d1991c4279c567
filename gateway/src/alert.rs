//! An alert: one subject, one rule, one lifecycle; and how an outcome moves it (PROTOCOL.md
//! section 10).
//!
//! Pure: when to ask is `pipeline`'s business, keeping is `alerts`'s.

use std::time::Duration;

use jiff::Timestamp;
use proto::{
    labels,
    lp::LengthPrefixed,
    name::{AgencyId, DatasetId},
    subject::Subject,
};

use crate::{
    clock::later,
    explanation::{Part, Truth},
    label::Label,
    outcomes::Outcome,
    rule::Rule,
};

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The rule holds: somebody should be visited.
    Open,
    /// Something unknown decides.
    Pending,
    /// The wait for it passed its deadline.
    Incomplete,
    /// The facts changed and the rule no longer holds.
    Withdrawn,
}

/// An alert as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// `AL-XXXX-XXXX-XXXX`.
    pub id: String,
    /// Whom it is about.
    pub subject: Subject,
    /// Whose pseudonym that is: a subject is another in every epoch.
    pub epoch: u32,
    /// The rule that raised it.
    pub rule: String,
    /// 1 for the first time this rule holds for this subject.
    pub occurrence: u32,
    /// The rule's version when the alert last changed.
    pub rule_version: [u8; 32],
    /// The rule's situation.
    pub situation: String,
    /// Where it is in its life.
    pub state: State,
    /// 12 digits; empty where no watch agency gave one.
    pub region: String,
    /// When it was first known.
    pub raised_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// When somebody should have been there; of a pending one, when it becomes incomplete.
    pub due_at: Timestamp,
    /// Measures the rule proposes.
    pub assist: Vec<String>,
    /// Grows with every change of any alert.
    pub revision: u64,
    /// What held, on whose word, as of when.
    pub findings: Vec<DatedFinding>,
}

/// A predicate of the rule, what it came to, on whose word, and as of when; kept as it was when the
/// alert last changed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DatedFinding {
    /// Which of the rule's expressions.
    pub part: Part,
    /// The predicate as the rule has it.
    pub predicate: String,
    /// What it came to.
    pub truth: Truth,
    /// The dataset that was asked.
    pub dataset: DatasetId,
    /// Whose it is.
    pub agency: AgencyId,
    /// What the dataset is called.
    pub label: Label,
    /// When its source was last read; absent where nothing was ever received.
    pub as_of: Option<Timestamp>,
}

/// What an outcome is measured against.
pub struct Moment<'a> {
    /// The time now.
    pub now: Timestamp,
    /// The epoch in force.
    pub epoch: u32,
    /// The rule that was evaluated.
    pub rule: &'a Rule,
    /// How long a pending alert may wait.
    pub pending_deadline: Duration,
}

impl State {
    /// The number that stands for it in the store and on the wire.
    pub fn number(self) -> i32 {
        match self {
            Self::Open => 1,
            Self::Pending => 2,
            Self::Incomplete => 3,
            Self::Withdrawn => 4,
        }
    }

    /// The state with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        [Self::Open, Self::Pending, Self::Incomplete, Self::Withdrawn]
            .into_iter()
            .find(|state| state.number() == number)
    }
}

impl Alert {
    /// The alert once there is no rule any more that could hold it; explained as it was.
    pub fn withdrawn(&self, now: Timestamp) -> Self {
        Self { state: State::Withdrawn, changed_at: now, ..self.clone() }
    }

    /// The alert in the next epoch, in which its person is another subject.
    pub fn succeeded(&self, subject: Subject, epoch: u32, now: Timestamp) -> Self {
        Self { subject, epoch, changed_at: now, ..self.clone() }
    }

    /// The alert once its epoch ended and nobody said who its person is in the next: no evaluation
    /// reaches it any more, and somebody must look by `due_at`.
    pub fn left_behind(&self, due_at: Timestamp, now: Timestamp) -> Self {
        Self { state: State::Incomplete, due_at, changed_at: now, ..self.clone() }
    }
}

impl Moment<'_> {
    /// The state that follows, where it is another. An unknown never withdraws anything.
    pub fn next(&self, alert: Option<&Alert>, outcome: Outcome) -> Option<State> {
        use Outcome as O;
        let live = alert.filter(|alert| alert.state != State::Withdrawn);
        match (live, outcome) {
            (None, O::Alert) => Some(State::Open),
            (None, O::Pending) => Some(State::Pending),
            (None, O::None | O::Held | O::Covered | O::OverMeans) => None,
            (Some(_), O::None | O::Covered | O::OverMeans) => Some(State::Withdrawn),
            (Some(alert), O::Alert) => (alert.state != State::Open).then_some(State::Open),
            (Some(alert), O::Pending | O::Held) => {
                let overdue = alert.state == State::Pending && self.now >= alert.due_at;
                overdue.then_some(State::Incomplete)
            }
        }
    }

    /// Whether an alert that stays in its state is to be explained anew: its rule was rewritten, and
    /// enough is known for the new text; or a dataset that had never been `received` when it was explained
    /// has been now. An explanation is not given up for unknowns of a start.
    pub fn renews(
        &self,
        alert: Option<&Alert>,
        outcome: Outcome,
        settled: bool,
        received: impl Fn(&DatasetId) -> bool,
    ) -> bool {
        let Some(alert) = alert else { return false };
        let rewritten = alert.rule_version != self.rule.version;
        let late = |finding: &DatedFinding| finding.as_of.is_none() && received(&finding.dataset);
        let completed = || alert.findings.iter().any(late);
        match (alert.state, outcome) {
            (State::Open, Outcome::Alert) => rewritten || (settled && completed()),
            (State::Pending | State::Incomplete, Outcome::Pending) => {
                settled && (rewritten || completed())
            }
            _ => false,
        }
    }

    /// The alert in its state, as the rule's present version has it. What it is due stays.
    pub fn renew(&self, live: &Alert, region: String, findings: Vec<DatedFinding>) -> Alert {
        Alert {
            rule_version: self.rule.version,
            situation: self.rule.situation.clone(),
            assist: self.rule.assist.clone(),
            region,
            findings,
            changed_at: self.now,
            ..live.clone()
        }
    }

    /// The alert in its next state: a new one where the last was withdrawn or there was none.
    pub fn advance(
        &self,
        alert: Option<&Alert>,
        subject: Subject,
        state: State,
        region: String,
        findings: Vec<DatedFinding>,
    ) -> Alert {
        let live = alert.filter(|alert| alert.state != State::Withdrawn);
        let occurrence = match live {
            Some(alert) => alert.occurrence,
            None => alert.map_or(1, |last| last.occurrence + 1),
        };
        let due_at = match (state, live) {
            (State::Open, _) => later(self.now, self.rule.due),
            (State::Pending, _) => later(self.now, self.pending_deadline),
            (State::Incomplete, _) => later(self.now, self.rule.due),
            (State::Withdrawn, live) => live.map_or(self.now, |alert| alert.due_at),
        };
        // A live alert's person may have been another subject when it was raised.
        let id = live.map_or_else(|| id(subject, &self.rule.id, occurrence), |it| it.id.clone());
        Alert {
            id,
            subject,
            epoch: self.epoch,
            rule: self.rule.id.clone(),
            occurrence,
            rule_version: self.rule.version,
            situation: self.rule.situation.clone(),
            state,
            region,
            raised_at: live.map_or(self.now, |alert| alert.raised_at),
            changed_at: self.now,
            due_at,
            assist: self.rule.assist.clone(),
            revision: 0,
            findings,
        }
    }
}

/// An id that the same facts give again after any restart.
fn id(subject: Subject, rule: &str, occurrence: u32) -> String {
    const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let material =
        LengthPrefixed::new().field(&subject.0).field(rule.as_bytes()).number(occurrence);
    let digest = blake3::derive_key(labels::ALERT_ID, material.as_bytes());
    let bits = u64::from_be_bytes(*digest.first_chunk().expect("a digest is 32 bytes"));
    let symbol = |place: u32| char::from(CROCKFORD[(bits >> (59 - 5 * place)) as usize % 32]);
    let group = |first: u32| (first..first + 4).map(symbol).collect::<String>();
    format!("AL-{}-{}-{}", group(0), group(4), group(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_id_is_stable_and_differs_by_occurrence() {
        let subject = Subject([7; 16]);
        let first = id(subject, "illness", 1);
        assert_eq!(first, id(subject, "illness", 1));
        assert_ne!(first, id(subject, "illness", 2));
        assert_eq!(first.len(), "AL-XXXX-XXXX-XXXX".len());
    }

    fn rule() -> Rule {
        let policy = crate::policy::Policy::parse(include_str!("../tests/small_policy.toml"));
        Rule::clone(&policy.expect("good").rules[0])
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minutes)
    }

    fn moment(rule: &Rule, minutes: i64) -> Moment<'_> {
        Moment { now: at(minutes), epoch: 1, rule, pending_deadline: Duration::from_secs(600) }
    }

    fn raised(rule: &Rule, state: State) -> Alert {
        moment(rule, 0).advance(None, Subject([7; 16]), state, String::new(), vec![])
    }

    #[test]
    fn every_outcome_moves_every_state_as_the_table_says() {
        use Outcome as O;
        let rule = rule();
        let table = [
            (None, [None, None, None, None, Some(State::Open), Some(State::Pending)]),
            (
                Some(State::Withdrawn),
                [None, None, None, None, Some(State::Open), Some(State::Pending)],
            ),
            (
                Some(State::Open),
                [
                    Some(State::Withdrawn),
                    None,
                    Some(State::Withdrawn),
                    Some(State::Withdrawn),
                    None,
                    None,
                ],
            ),
            (
                Some(State::Pending),
                [
                    Some(State::Withdrawn),
                    None,
                    Some(State::Withdrawn),
                    Some(State::Withdrawn),
                    Some(State::Open),
                    None,
                ],
            ),
            (
                Some(State::Incomplete),
                [
                    Some(State::Withdrawn),
                    None,
                    Some(State::Withdrawn),
                    Some(State::Withdrawn),
                    Some(State::Open),
                    None,
                ],
            ),
        ];
        for (state, expected) in table {
            let alert = state.map(|state| raised(&rule, state));
            let outcomes = [O::None, O::Held, O::Covered, O::OverMeans, O::Alert, O::Pending];
            let next = outcomes.map(|outcome| moment(&rule, 5).next(alert.as_ref(), outcome));
            assert_eq!(next, expected, "{state:?}");
        }
    }

    #[test]
    fn only_a_pending_alert_becomes_incomplete_and_only_at_its_deadline() {
        let rule = rule();
        let pending = raised(&rule, State::Pending);
        for outcome in [Outcome::Pending, Outcome::Held] {
            assert_eq!(moment(&rule, 9).next(Some(&pending), outcome), None);
            assert_eq!(moment(&rule, 10).next(Some(&pending), outcome), Some(State::Incomplete));
        }
        let open = raised(&rule, State::Open);
        assert_eq!(moment(&rule, 100_000).next(Some(&open), Outcome::Pending), None);
    }

    #[test]
    fn a_new_occurrence_follows_a_withdrawn_alert_and_no_other() {
        let rule = rule();
        let step = |alert: &Alert, state| {
            moment(&rule, 5).advance(Some(alert), alert.subject, state, String::new(), vec![])
        };
        let pending = raised(&rule, State::Pending);
        let open = step(&pending, State::Open);
        assert_eq!((&open.id, open.raised_at, open.changed_at), (&pending.id, at(0), at(5)));
        assert_eq!(open.due_at, at(5 + 72 * 60));
        let withdrawn = step(&open, State::Withdrawn);
        assert_eq!((&withdrawn.id, withdrawn.due_at), (&open.id, open.due_at));
        let again = step(&withdrawn, State::Open);
        assert_eq!((again.occurrence, again.raised_at), (2, at(5)));
        assert_ne!(again.id, open.id);
    }

    #[test]
    fn an_alert_keeps_its_id_when_its_person_is_another_subject_in_the_next_epoch() {
        let rule = rule();
        let successor = Subject([9; 16]);
        let moved = raised(&rule, State::Open).succeeded(successor, 2, at(1));
        let step = |alert: &Alert, state| {
            let moment = Moment { epoch: 2, ..moment(&rule, 5) };
            moment.advance(Some(alert), successor, state, String::new(), vec![])
        };
        let withdrawn = step(&moved, State::Withdrawn);
        assert_eq!((&withdrawn.id, withdrawn.epoch), (&raised(&rule, State::Open).id, 2));
        let again = step(&withdrawn, State::Open);
        assert!(again.occurrence == 2 && again.id != withdrawn.id);
    }

    #[test]
    fn a_rewritten_rule_renews_what_it_still_holds_and_unknowns_of_a_start_do_not() {
        let old = rule();
        let new = Rule { version: [9; 32], ..old.clone() };
        let renews = |state, outcome, settled| {
            moment(&new, 1).renews(Some(&raised(&old, state)), outcome, settled, |_| true)
        };
        assert!(renews(State::Open, Outcome::Alert, false));
        assert!(!renews(State::Open, Outcome::Pending, true));
        assert!(renews(State::Pending, Outcome::Pending, true));
        assert!(!renews(State::Pending, Outcome::Pending, false));
        assert!(!renews(State::Withdrawn, Outcome::None, true));
        let open = raised(&old, State::Open);
        assert!(!moment(&old, 1).renews(Some(&open), Outcome::Alert, true, |_| true));
    }
}

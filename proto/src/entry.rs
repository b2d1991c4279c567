//! An entry of the access log: when, by whom, what; and the bytes that the log keeps and hashes
//! (PROTOCOL.md section 17.1).
//!
//! What can be done is `act`'s. Proofs are `merkle`'s and `log_proof`'s.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{act::Act, name::AgencyId};

/// An entry fits into a bundle of C2SP tlog-tiles.
pub const MAX_ENTRY: usize = 65_535;
/// The form of entries.
const VERSION: u8 = 1;

/// Whose act it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The gateway's own.
    Gateway,
    /// A member of staff's, by the certificate.
    Officer(AgencyId),
    /// An agency's, by the certificate.
    Agency(AgencyId),
    /// Of somebody whose certificate names nobody of this programme.
    Unknown,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    v: u8,
    at: Timestamp,
    by: Actor,
    act: Act,
}

/// Bytes that are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Of a form that this version does not know.
    #[error("the entry is of version {0}; this program knows version 1")]
    Version(u8),
    /// Not the bytes that an entry of this content has.
    #[error("the bytes are not those of an entry")]
    NotCanonical,
}

#[derive(Deserialize)]
struct Versioned {
    v: u8,
}

impl Entry {
    /// An entry; times are kept in whole milliseconds.
    pub fn new(at: Timestamp, by: Actor, act: Act) -> Self {
        Self { v: VERSION, at: whole_milliseconds(at), by, act }
    }

    /// When it was written down. Never earlier than the entry before it.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Whose act it is.
    pub fn by(&self) -> &Actor {
        &self.by
    }

    /// What was about to be done, or what came of it.
    pub fn act(&self) -> &Act {
        &self.act
    }

    /// The bytes that are kept and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an entry is plain data with text keys")
    }

    /// Reads an entry. Its bytes must be those that [`Entry::to_bytes`] gives: one content has one
    /// form, so that nothing can hide in spaces, in the order of fields, or in unknown ones.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let Versioned { v } =
            serde_json::from_slice(bytes).map_err(|_| EntryError::NotCanonical)?;
        if v != VERSION {
            return Err(EntryError::Version(v));
        }
        let entry: Self = serde_json::from_slice(bytes).map_err(|_| EntryError::NotCanonical)?;
        let canonical = entry.at == whole_milliseconds(entry.at) && entry.to_bytes() == bytes;
        if canonical { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }
}

fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("a timestamp's milliseconds are one")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        act::{AlertState, ReviewFinding, WORDS},
        case_event::{AssistanceKind, CaseEvent, Deadline, Outcome, ReturnReason, Tier, Urgency},
        contact::ContactField,
        disclosure_request::{LegalBasis, Purpose},
        fault::Reason,
        group_fault::GroupFault,
        hex_bytes::HexBytes,
        method_name::MethodName,
    };

    fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().expect("a name")
    }

    fn entry(by: Actor, act: Act) -> Entry {
        Entry::new("2026-11-27T08:09:10.123456Z".parse().expect("a time"), by, act)
    }

    fn method() -> MethodName {
        MethodName::try_from("MatchService/ListAlerts".to_owned()).expect("a method")
    }

    /// One of every act.
    pub(crate) fn acts() -> Vec<Act> {
        let (digest, log) = (HexBytes([0xab; 32]), HexBytes([1; 16]));
        let alert = || name("AL-0123-ABCD-XYZ9");
        let (agency, dataset, epoch) = (name("tax"), name("tax_declaration"), 3);
        vec![
            Act::Started {
                configuration: digest,
                manifest: digest,
                manifest_version: 4,
                policy: digest,
                epoch,
                revision: 7,
            },
            Act::Stopping {},
            Act::Failed { first: 3, end: 5 },
            Act::LogResumed { acts: 2 },
            Act::ManifestAccepted { manifest: digest, manifest_version: 5 },
            Act::EpochChanged { from: 1, to: 2 },
            Act::TlsFilesRead {},
            Act::PolicyRead {},
            Act::PolicyInForce { policy: digest, rules: 8 },
            Act::PolicyRefused {},
            Act::SyncAccepted { agency, dataset, epoch, log, version: 2, rows: 9, deleted: 1 },
            Act::ReleaseUsed {
                agency: name("civil_affairs"),
                dataset: name("dibao"),
                epoch,
                log,
                version: 2,
                subjects: 9,
                deleted: 1,
            },
            Act::SyncRefused {
                agency: name("tax"),
                dataset: name("tax_declaration"),
                epoch,
                log,
                version: 3,
                fault: GroupFault::RowSize,
            },
            Act::ReleaseRefused {
                agency: name("civil_affairs"),
                dataset: name("dibao"),
                epoch,
                log,
                version: 3,
                fault: GroupFault::Future,
            },
            Act::GrantsCarried { grantee: name("tax"), epoch, datasets: vec![name("base")] },
            Act::EvaluationsRelayed {
                requester: name("tax"),
                holder: name("health"),
                epoch,
                batches: 2,
                elements: 4096,
                refused: 0,
            },
            Act::OrdersReturned {
                agency: name("hotline"),
                dataset: name("work_order"),
                orders: vec![20_261_127_000_012],
            },
            Act::RulesRun { policy: digest, epoch, subjects: 510_000, changed: 1 },
            Act::AlertChanged {
                alert: alert(),
                rule: name("illness-uncovered"),
                rule_version: digest,
                state: AlertState::Open,
                revision: 8,
            },
            Act::CaseChanged { alert: alert(), number: 1, event: CaseEvent::Waiting {} },
            Act::CasesFollowed { after: 12 },
            Act::CasesListed { alerts: vec![alert()] },
            Act::CaseRead { alert: alert() },
            Act::AlertsListed { alerts: vec![alert()] },
            Act::AlertRead { alert: alert() },
            Act::WatchOpened { after: 8 },
            Act::AlertsDelivered { alerts: vec![], revision: 8 },
            Act::DryRun { rule: None, rule_version: digest },
            Act::RulesListed { count: 8 },
            Act::AgenciesListed { count: 14 },
            Act::DatasetsListed { count: 32 },
            Act::GrantsListed { count: 90 },
            Act::EpochsListed { count: 2 },
            Act::RefusalsListed { count: 3 },
            Act::NotificationSent {
                notification: HexBytes([2; 16]),
                target: name("street-desk"),
                alerts: vec![alert()],
                attempt: 1,
            },
            Act::NotificationParked {
                notification: HexBytes([2; 16]),
                target: name("street-desk"),
            },
            Act::NotificationsListed { count: 3 },
            Act::NotificationsRetried { count: 2 },
            Act::ScreeningRead { date: jiff::civil::date(2026, 11, 27), digest },
            Act::StatisticsRead { month: jiff::civil::date(2026, 10, 1), digest },
            Act::LogRead { first: 0, end: 256 },
            Act::ReceiptGiven { index: 5 },
            Act::DisclosureRequested {
                disclosure: log,
                alert: alert(),
                agency: name("tax"),
                dataset: name("dibao"),
                fields: vec![ContactField::Name, ContactField::Address],
                purpose: Purpose::HomeVisit,
                legal_basis: LegalBasis::StatutoryDuty,
                emergency: false,
                request: digest,
            },
            Act::DisclosureApproved { disclosure: log, alert: alert(), request: digest },
            Act::DisclosureRefused { disclosure: log, alert: alert() },
            Act::DisclosureCarried {
                disclosure: log,
                alert: alert(),
                agency: name("tax"),
                dataset: name("dibao"),
                emergency: true,
                request: digest,
                approvers: vec![name("zhao")],
            },
            Act::DisclosureAnswered { disclosure: log, alert: alert(), agency: name("tax") },
            Act::DisclosureDeclined {
                disclosure: log,
                alert: alert(),
                agency: name("tax"),
                reason: Reason::AgainstPolicy,
            },
            Act::DisclosureCollected { disclosure: log, alert: alert() },
            Act::DisclosureReviewed {
                disclosure: log,
                alert: alert(),
                finding: ReviewFinding::Unjustified,
            },
            Act::DisclosuresListed { count: 3 },
            Act::CallsRefused { method: Some(method()), reason: Reason::NotPermitted, count: 2 },
        ]
    }

    /// One of every event of a case.
    pub(crate) fn events() -> Vec<CaseEvent> {
        let due_at = "2026-11-30T09:00:00Z".parse().expect("a time");
        let (region, disclosure) = (name("320104002"), HexBytes([5; 16]));
        vec![
            CaseEvent::Opened { due_at },
            CaseEvent::Waiting {},
            CaseEvent::Suppressed { until: due_at },
            CaseEvent::Routed { region, tier: Tier::Worker, due_at },
            CaseEvent::Assigned { officer: name("li-na"), due_at },
            CaseEvent::Acknowledged { due_at },
            CaseEvent::Returned { reason: ReturnReason::MovedAway, tier: Tier::Street, due_at },
            CaseEvent::Escalated { missed: Deadline::Visit, tier: Tier::District, due_at },
            CaseEvent::HelpRequested {
                agency: name("hotline"),
                dataset: name("work_order"),
                order: 12345,
                urgency: Urgency::Emergency,
            },
            CaseEvent::JoinedTo { alert: name("AL-0123-ABCD-XYZ9") },
            CaseEvent::OrderReturned {
                dataset: name("work_order"),
                order: 12345,
                reason: ReturnReason::NotOurDuty,
            },
            CaseEvent::DisclosureAsked { disclosure },
            CaseEvent::Disclosed { disclosure, emergency: false },
            CaseEvent::Visited { on: jiff::civil::date(2026, 11, 27), due_at },
            CaseEvent::ReliefFirst { kind: AssistanceKind::Money, papers_due_at: due_at },
            CaseEvent::PapersCompleted {},
            CaseEvent::AssistanceGiven { kind: AssistanceKind::TimeBank },
            CaseEvent::OutcomeRecorded { outcome: Outcome::RigidExpenditure },
            CaseEvent::Withdrawn {},
            CaseEvent::Reopened { due_at },
            CaseEvent::Closed { until: due_at },
        ]
    }

    const GOLDEN_EVENTS: &str = "2d165a4c28ef253a4c347052722c521dfffa1a9def38ed4b4f236dd05b7c5c5d";
    const GOLDEN: &str = "25888bf7b80e0f9a54597832cb3fa618970696e7ee10e2eb0486bc60917e8eec";

    #[test]
    fn the_bytes_of_an_entry_never_change() {
        let read = entry(
            Actor::Officer(name("li-na")),
            Act::AlertRead { alert: name("AL-0123-ABCD-XYZ9") },
        );
        let bytes = r#"{"v":1,"at":"2026-11-27T08:09:10.123Z","by":{"officer":"li-na"},"act":{"alert_read":{"alert":"AL-0123-ABCD-XYZ9"}}}"#;
        assert_eq!(String::from_utf8(read.to_bytes()).as_deref(), Ok(bytes));
        // BLAKE3 over one of every act: a change of any field's name, order or form shows.
        let mut hash = blake3::Hasher::new();
        for act in acts() {
            hash.update(&entry(Actor::Gateway, act).to_bytes());
        }
        assert_eq!(hash.finalize().to_hex().as_str(), GOLDEN);
    }

    #[test]
    fn the_bytes_of_a_cases_events_never_change() {
        let mut hash = blake3::Hasher::new();
        for event in events() {
            let key = format!("\"event\":{{\"{}\":{{", event.word());
            let act = Act::CaseChanged { alert: name("AL-0123-ABCD-XYZ9"), number: 7, event };
            let entry = entry(Actor::Officer(name("li-na")), act);
            let bytes = entry.to_bytes();
            assert!(String::from_utf8_lossy(&bytes).contains(&key), "{key}");
            assert_eq!(Entry::parse(&bytes), Ok(entry));
            hash.update(&bytes);
        }
        assert_eq!(hash.finalize().to_hex().as_str(), GOLDEN_EVENTS);
    }

    #[test]
    fn every_act_is_read_back_and_is_called_by_its_key() {
        let acts = acts();
        let words: Vec<&str> = acts.iter().map(Act::word).collect();
        assert_eq!(words, WORDS);
        for act in acts {
            let entry = entry(Actor::Unknown, act.clone());
            let bytes = entry.to_bytes();
            let key = format!("\"act\":{{\"{}\":{{", act.word());
            assert!(String::from_utf8_lossy(&bytes).contains(&key), "{key}");
            assert_eq!(Entry::parse(&bytes), Ok(entry));
        }
    }

    #[test]
    fn bytes_that_do_not_come_back_as_they_were_are_refused() {
        let good =
            String::from_utf8(entry(Actor::Gateway, Act::LogRead { first: 1, end: 2 }).to_bytes());
        let good = good.expect("text");
        assert!(Entry::parse(good.as_bytes()).is_ok());
        for (part, other) in [
            (":1,", ": 1,"),
            ("\"first\":1,\"end\":2", "\"end\":2,\"first\":1"),
            ("\"end\":2", "\"end\":2,\"name\":\"zhang\""),
            ("\"end\":2", "\"end\":2,\"end\":2"),
            (".123Z", ".123456Z"),
            (".123Z", ".123+00:00"),
            ("\"gateway\"", "\"nobody\""),
            ("log_read", "log_written"),
        ] {
            let changed = good.replacen(part, other, 1);
            assert_ne!(changed, good, "{part} is there");
            assert_eq!(
                Entry::parse(changed.as_bytes()),
                Err(EntryError::NotCanonical),
                "{changed}"
            );
        }
        let newer = good.replacen("\"v\":1", "\"v\":2", 1);
        assert_eq!(Entry::parse(newer.as_bytes()), Err(EntryError::Version(2)));
        let upper =
            entry(Actor::Gateway, Act::PolicyInForce { policy: HexBytes([0xab; 32]), rules: 1 });
        let upper = String::from_utf8_lossy(&upper.to_bytes()).replace("abab", "ABAB");
        assert_eq!(Entry::parse(upper.as_bytes()), Err(EntryError::NotCanonical));
    }

    #[test]
    fn a_whole_page_of_alerts_fits_into_one_entry() {
        let alerts = vec![name("AL-0123-ABCD-XYZ9"); 1000];
        let by = Actor::Officer(name(&"a".repeat(64)));
        assert!(entry(by, Act::AlertsListed { alerts }).to_bytes().len() <= MAX_ENTRY);
    }
}

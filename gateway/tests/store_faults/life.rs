//! A life in which everything happens to the store that can.

use std::{sync::Arc, time::Duration};

use gateway::{
    alert::{Alert, State},
    alert_acts::{EpochChange, Run},
    audit::logged::Unlogged,
    case::step::Step,
    disclosure::stage::{Disclosure, Stage},
    hotline::{open_orders::OpenOrder, returns},
    notify::{channel::Problem, outbox, target::Wish},
    statistics::kept::{Kept, Kind},
};
use jiff::SignedDuration;
use proto::{
    act::Act as Entry,
    alert_id::AlertId,
    case_event::{AssistanceKind, CaseEvent, Outcome, ReturnReason, Urgency},
    contact::ContactField,
    disclosure::{Application, OfficerSignature},
    disclosure_request::{DisclosureRequest, LegalBasis, Purpose},
    entry::Actor,
    envelope::EnvelopePrivateKey,
    hex_bytes::HexBytes,
    name::DatasetId,
    subject::Subject,
    wire,
    work_order::WorkOrder,
};
use zeroize::Zeroizing;

use super::office::Office;
use crate::fixture::scope;

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Act {
    PolicyInForce,
    FirstEpoch,
    /// Number, person, rule, state, revision.
    Alerts(Vec<(u8, u8, &'static str, State, u64)>),
    EpochChange(Vec<(u8, u8, &'static str, State, u64)>),
    /// Hours pass.
    Hours(i64),
    Does(&'static str, u8, Step),
    /// Numbers and people of all open work orders.
    Orders(Vec<(u64, u8)>),
    OrdersDelivered,
    /// Of a case.
    Ask(u8, u8),
    Approve(u8),
    Refuse(u8),
    Answer(u8),
    Collect(u8),
    Address,
    Gather,
    Begin,
    Sent,
    Failed,
    Park,
    TryParkedAgain,
    Prune,
    KeepStatistics,
}

/// A target that is told at once, and one that is told once a day.
const TARGETS: [(&str, Option<Duration>); 2] =
    [("street", None), ("district", Some(Duration::from_secs(86_400)))];

pub fn life() -> Vec<Act> {
    use Act::*;
    use State::{Incomplete, Open, Pending, Withdrawn};
    let (illness, helped) = ("illness-uncovered", "help-requested");
    let goods = AssistanceKind::Goods;
    let order = |number| Step::ReturnOrder(work_order(), number, ReturnReason::MovedAway);
    let li = "li".parse().expect("a name");
    vec![
        PolicyInForce,
        FirstEpoch,
        // Of two alerts about a person that come together one case joins the other.
        Alerts(vec![(1, 1, illness, Open, 1), (2, 1, helped, Open, 2), (3, 2, illness, Open, 3)]),
        Alerts(vec![(4, 3, illness, Pending, 4)]),
        Address,
        Gather,
        Begin,
        Failed,
        Hours(2),
        Begin,
        Sent,
        Hours(1),
        Begin,
        Park,
        TryParkedAgain,
        Does("li", 1, Step::Acknowledge),
        Ask(1, 1),
        Approve(1),
        Answer(1),
        Collect(1),
        Ask(2, 1),
        Refuse(2),
        Does("li", 1, Step::ReliefFirst(AssistanceKind::Money)),
        Does("li", 1, Step::Visit(None)),
        Does("li", 1, Step::CompletePapers),
        Does("li", 1, Step::GiveAssistance(goods)),
        Does("li", 1, Step::RecordOutcome(Outcome::Dibao)),
        Does("li", 1, Step::Close),
        // Somebody calls: about who has a case, whose case is over, and who has none yet.
        Orders(vec![(7, 2), (8, 1), (9, 4)]),
        Alerts(vec![(5, 4, helped, Open, 5), (4, 3, illness, Open, 6)]),
        Does("wu", 3, order(7)),
        OrdersDelivered,
        Does("li", 3, Step::Acknowledge),
        Does("li", 3, Step::Return(ReturnReason::WrongRegion)),
        Does("wu", 3, Step::Assign(li)),
        Does("wu", 3, Step::Reroute("320104002007".parse().expect("a code"))),
        Does("wu", 1, Step::Reopen),
        Does("li", 1, Step::Acknowledge),
        // A case that is put off, and one into which the other case of its person goes.
        Does("li", 1, Step::Visit(None)),
        Does("li", 1, Step::RecordOutcome(Outcome::NoNeed)),
        Does("li", 1, Step::Close),
        Alerts(vec![(6, 1, illness, Open, 7)]),
        Alerts(vec![(7, 4, illness, Open, 8)]),
        // A closed case begins anew when its time is over, if its facts are there again.
        Does("li", 7, Step::Acknowledge),
        Does("li", 7, Step::Visit(None)),
        Does("li", 7, Step::RecordOutcome(Outcome::Referral)),
        Does("li", 7, Step::Close),
        Alerts(vec![(7, 4, illness, Pending, 9)]),
        Alerts(vec![(7, 4, illness, Incomplete, 10)]),
        // Deadlines come near and pass.
        Hours(3),
        Hours(24),
        Alerts(vec![(4, 3, illness, Withdrawn, 11)]),
        Address,
        Gather,
        Begin,
        Sent,
        EpochChange(vec![(3, 2, illness, Pending, 12), (5, 4, helped, Withdrawn, 13)]),
        KeepStatistics,
        Hours(24 * 90),
        Hours(24 * 90),
        Prune,
    ]
}

impl Act {
    /// Lets it happen, with all that the gateway then does by itself.
    pub async fn happen(&self, office: &Office) -> Result<(), String> {
        let happened = self.by_itself(office).await;
        office.settle().await;
        happened
    }

    async fn by_itself(&self, office: &Office) -> Result<(), String> {
        let (pool, now) = (&office.pool, office.now());
        match self {
            Self::PolicyInForce => {
                words(office.alerts.policy_in_force([7; 32], "a policy", now).await)
            }
            Self::FirstEpoch => words(office.alerts.begin(1, now).await),
            Self::Alerts(changed) => {
                let changed = changed.iter().map(alert).collect();
                let run = Run { policy: [0; 32], epoch: 1, subjects: 9, changed };
                let run = office.recorder.open(&Actor::Gateway, Unlogged::seal(run)).await;
                words(office.alerts.write(&run.map_err(|error| error.to_string())?).await)
            }
            Self::EpochChange(changed) => {
                let changed = changed.iter().map(alert).collect();
                let change = Unlogged::seal(EpochChange { from: 1, to: 2, changed });
                let change = office.recorder.open(&Actor::Gateway, change).await;
                let change = change.map_err(|error| error.to_string())?;
                words(office.alerts.change_epoch(&change, now).await)
            }
            Self::Hours(hours) => {
                office.clock.send_replace(now + SignedDuration::from_hours(*hours));
                Ok(())
            }
            Self::Does(by, number, step) => office.step(by, &id(*number), step).await,
            Self::Orders(open) => {
                office.orders.send_replace(Arc::new(open.iter().map(open_order).collect()));
                Ok(())
            }
            Self::OrdersDelivered => {
                let hotline = ("hotline".parse().expect("a name"), work_order());
                let orders = returns::of_hotline(pool, &hotline).await.expect("read");
                words(returns::delivered(pool, &orders).await)
            }
            Self::Ask(..)
            | Self::Approve(_)
            | Self::Refuse(_)
            | Self::Answer(_)
            | Self::Collect(_) => self.disclose(office).await,
            _ => self.notify(office).await,
        }
    }

    async fn disclose(&self, office: &Office) -> Result<(), String> {
        let (courier, now, li) = (&office.courier, office.now(), officer("li"));
        let _turn = courier.turn().await;
        let found = async |number: u8| {
            courier.store.get(&HexBytes([number; 16])).await.expect("read").expect("there")
        };
        let settled = match self {
            Self::Ask(number, case) => {
                let event = CaseEvent::DisclosureAsked { disclosure: HexBytes([*number; 16]) };
                let application = application(*number, *case, now);
                let asked = Disclosure::asked(application, 1, "320104002003".into(), now, now);
                courier.settle_in_case(&li, (Entry::PolicyRead {}, event), asked).await
            }
            Self::Answer(number) => {
                let mut disclosure = found(*number).await;
                let answer = wire::DiscloseResponse::default();
                (disclosure.stage, disclosure.answer) = (Stage::Answered, Some(answer));
                let disclosed = HexBytes([*number; 16]);
                let event = CaseEvent::Disclosed { disclosure: disclosed, emergency: false };
                let told = (Entry::PolicyRead {}, event);
                courier.settle_in_case(&Actor::Gateway, told, disclosure).await
            }
            Self::Approve(number) | Self::Refuse(number) | Self::Collect(number) => {
                let mut disclosure = found(*number).await;
                match self {
                    Self::Approve(_) => {
                        let (by, approval) = ("wu".parse().expect("a name"), signature());
                        disclosure.approved(by, approval);
                    }
                    Self::Refuse(_) => disclosure.stage = Stage::Refused,
                    _ => (disclosure.stage, disclosure.answer) = (Stage::Collected, None),
                }
                courier.settle(&officer("wu"), Entry::PolicyRead {}, &disclosure).await
            }
            other => panic!("{other:?} is no disclosure"),
        };
        settled.map(drop).map_err(|refusal| format!("{refusal:?}"))
    }

    async fn notify(&self, office: &Office) -> Result<(), String> {
        let (pool, now, deliveries) = (&office.pool, office.now(), &office.deliveries);
        let target = TARGETS[0].0.parse().expect("a name");
        // The same one, however often it is tried.
        let first = async || {
            let row = "SELECT id FROM notification WHERE target = 'street' AND state = 'waiting'
                       ORDER BY attempts DESC, id LIMIT 1";
            let id: String = sqlx::query_scalar(row).fetch_one(pool).await.expect("one waits");
            let mut bytes = [0; 16];
            hex::decode_to_slice(id, &mut bytes).expect("an id");
            HexBytes(bytes)
        };
        match self {
            Self::Address => {
                let wish = |(target, digest): (&str, _)| Wish {
                    target: target.parse().expect("a name"),
                    kinds: vec![],
                    tiers: vec![],
                    regions: vec![],
                    digest,
                };
                let wishes = TARGETS.map(wish);
                let wishes: Vec<&Wish> = wishes.iter().collect();
                words(outbox::address(pool, &wishes, now).await.map(drop))
            }
            Self::Gather => {
                let (target, period) = TARGETS[1];
                words(outbox::gather(pool, target, period.expect("a digest"), now).await)
            }
            Self::Begin => {
                let due = deliveries.due(&target, now).await.expect("read").expect("one is due");
                words(deliveries.begin(due.id, due.attempts + 1, now).await)
            }
            Self::Sent => words(deliveries.sent(first().await, now).await),
            Self::Failed => {
                let rest = now + SignedDuration::from_mins(30);
                words(deliveries.failed(first().await, Problem::Timeout, rest).await)
            }
            Self::Park => {
                let problem = Some(Problem::Http(403));
                words(deliveries.park(first().await, problem, now).await)
            }
            Self::TryParkedAgain => {
                let parked = deliveries.parked(&[]).await.expect("read");
                words(deliveries.retry(&parked, now).await)
            }
            Self::Prune => words(outbox::prune(pool, now).await.map(drop)),
            Self::KeepStatistics => {
                let period = "2026-02".into();
                let computed = wire::Statistics { period, ..Default::default() };
                words(Kept::new(pool.clone()).keep(Kind::Report, &computed).await.map(drop))
            }
            other => panic!("{other:?} is nothing of the outbox's"),
        }
    }
}

fn words<T>(done: Result<T, impl ToString>) -> Result<T, String> {
    done.map_err(|error| error.to_string())
}

fn officer(id: &str) -> Actor {
    Actor::Officer(id.parse().expect("a name"))
}

fn id(number: u8) -> AlertId {
    format!("AL-{number:04}-0000-0000").parse().expect("an id")
}

fn work_order() -> DatasetId {
    "work_order".parse().expect("a name")
}

fn open_order((number, person): &(u64, u8)) -> OpenOrder {
    OpenOrder {
        subject: Subject([*person; 16]),
        agency: "hotline".parse().expect("a name"),
        dataset: work_order(),
        order: WorkOrder { number: *number, urgency: Urgency::Urgent },
    }
}

fn alert((number, person, rule, state, revision): &(u8, u8, &str, State, u64)) -> Alert {
    let raised_at = "2026-03-02T02:00:00Z".parse().expect("a time");
    Alert {
        id: id(*number).as_str().into(),
        subject: Subject([*person; 16]),
        epoch: 1,
        rule: (*rule).into(),
        occurrence: (*number).into(),
        rule_version: [1; 32],
        situation: "illness".into(),
        state: *state,
        region: "320104002003".into(),
        raised_at,
        changed_at: raised_at,
        due_at: raised_at,
        assist: vec!["visit".into()],
        revision: *revision,
        findings: vec![],
    }
}

fn signature() -> OfficerSignature {
    OfficerSignature { certificates: vec![vec![1; 600]], signature: vec![2; 64] }
}

fn application(number: u8, case: u8, now: jiff::Timestamp) -> Application {
    let request = DisclosureRequest {
        scope: scope(),
        id: HexBytes([number; 16]),
        alert: id(case),
        subject: Subject([1; 16]),
        agency: "aid".parse().expect("a name"),
        dataset: "ill".parse().expect("a name"),
        fields: vec![ContactField::Phone],
        purpose: Purpose::HomeVisit,
        legal_basis: LegalBasis::Consent,
        officer: "li".parse().expect("a name"),
        officer_key: EnvelopePrivateKey::from_bytes(&Zeroizing::new([3; 32])).public(),
        expires_at: now + SignedDuration::from_hours(72),
        nonce: [4; 32],
        emergency: false,
    };
    Application { request, officer: signature(), approvals: vec![], proof: String::new() }
}

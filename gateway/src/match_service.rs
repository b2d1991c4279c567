//! `MatchService`: what civil-affairs staff ask (PROTOCOL.md section 10).
//!
//! Who may ask was settled by `authorise`; every answer is narrowed to the caller's region, and is in
//! the access log before it is given.

use std::{pin::Pin, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{Stream, stream};
use proto::{
    act::Act,
    hex_bytes::HexBytes,
    wire::{self, match_service_server::MatchService},
};
use tokio::sync::{Semaphore, mpsc, watch};
use tonic::{Request, Response, Status};

use crate::{
    alert::{Alert, State},
    alerts::{After, Alerts},
    audit::recorder::Recorder,
    authorise::caller,
    base::Base,
    case::calendar::day,
    clock::{Clock, later},
    dry_run::{self, Counts},
    epoch::LiveEpochs,
    policy_in_force::PolicyInForce,
    question::{self, Question},
    refusal::Refusal,
    regions::Regions,
    rule::Rule,
    watcher::Watcher,
    wire_alert,
};

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;
/// Smaller numbers of people are not told.
const SMALLEST_COUNT: u64 = 10;
/// Watches that may be open at once: each holds a batch of changes in memory, however slowly it is read.
pub const WATCHERS: usize = 256;

/// The service.
pub struct Matches {
    /// Alerts.
    pub alerts: Alerts,
    /// Writes down who is shown what.
    pub recorder: Recorder,
    /// The policy.
    pub policy: Arc<PolicyInForce>,
    /// Freshness.
    pub epochs: Arc<LiveEpochs>,
    /// What regions are called.
    pub regions: Arc<Regions>,
    /// The revision of the last alert written.
    pub revision: watch::Receiver<u64>,
    /// To the pipeline.
    pub questions: mpsc::Sender<Question>,
    /// The time.
    pub clock: Clock,
    /// Places for whoever watches.
    pub watchers: Arc<Semaphore>,
    /// Turns true when the gateway stops: watchers are told to come back.
    pub stopping: watch::Receiver<bool>,
}

type Answer<T> = Result<Response<T>, Status>;
type Events = Pin<Box<dyn Stream<Item = Result<wire::WatchAlertsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl MatchService for Matches {
    type WatchAlertsStream = Events;

    async fn list_rules(
        &self,
        request: Request<wire::ListRulesRequest>,
    ) -> Answer<wire::ListRulesResponse> {
        let policy = self.policy.current();
        let act = Act::RulesListed { count: policy.rules.len() as u64 };
        self.recorder.record(&caller(&request)?.actor(), act).await.map_err(Refusal::from)?;
        let rules = policy
            .rules
            .iter()
            .map(|rule| wire_alert::rule(rule, &policy.catalogue, self.stale(rule)));
        let (calendar, now) = (&policy.cases.calendar, self.clock.now());
        let until = calendar.last_day(day(now));
        Ok(Response::new(wire::ListRulesResponse {
            rules: rules.collect(),
            policy_version: policy.version.to_vec(),
            working_days_until: until.map(|day| day.to_string()).unwrap_or_default(),
            working_days_end_soon: calendar.ending(now).is_some(),
        }))
    }

    async fn list_alerts(
        &self,
        request: Request<wire::ListAlertsRequest>,
    ) -> Answer<wire::ListAlertsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let filter = wire_alert::filter(request.filter, &caller.0.region)?;
        let size = match request.page_size {
            0 => DEFAULT_PAGE,
            size if size <= LARGEST_PAGE => size,
            _ => return Err(Refusal::Argument("page_size is 1000 at most".into()).into()),
        };
        let after = after(&request.page_token)?;
        let page = self.alerts.page(&filter, after.as_ref(), size).await.map_err(Refusal::from)?;
        let page = self.recorder.open(&caller.actor(), page).await.map_err(Refusal::from)?;
        let alerts = &page.what().0;
        let full = alerts.len() == size as usize;
        let last = alerts.last().filter(|_| full);
        let witnessed = self.recorder.witnesses().witnessed_revision();
        Ok(Response::new(wire::ListAlertsResponse {
            next_page_token: last.map(token).unwrap_or_default(),
            alerts: alerts
                .iter()
                .map(|it| wire_alert::alert(it, witnessed, &self.regions))
                .collect(),
            logged: Some(self.recorder.place(page.index())),
        }))
    }

    async fn get_alert(
        &self,
        request: Request<wire::GetAlertRequest>,
    ) -> Answer<wire::GetAlertResponse> {
        let caller = caller(&request)?;
        let (id, region) = (&request.get_ref().id, &caller.0.region);
        // An alert elsewhere is as good as none.
        let found = self.alerts.get(id, region).await.map_err(Refusal::from)?;
        let found = found.ok_or(Refusal::NotFound("no alert of your region has this id"))?;
        let found = self.recorder.open(&caller.actor(), found).await.map_err(Refusal::from)?;
        let alert = &found.what().0;
        let witnessed = self.recorder.witnesses().witnessed_revision();
        let policy = self.policy.current();
        let rule = policy.rules.iter().find(|rule| rule.id == alert.rule);
        Ok(Response::new(wire::GetAlertResponse {
            findings: alert.findings.iter().map(wire_alert::finding).collect(),
            rule_label: rule.map(|rule| wire_alert::label(&rule.label)),
            situation_label: policy.catalogue.situation(&alert.situation).map(wire_alert::label),
            assist: wire_alert::measures(&alert.assist, &policy.catalogue),
            alert: Some(wire_alert::alert(alert, witnessed, &self.regions)),
            logged: Some(self.recorder.place(found.index())),
        }))
    }

    async fn watch_alerts(
        &self,
        request: Request<wire::WatchAlertsRequest>,
    ) -> Answer<Self::WatchAlertsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let any_state = request.filter.as_ref().is_none_or(|filter| filter.states.is_empty());
        let mut filter = wire_alert::filter(request.filter, &caller.0.region)?;
        if any_state {
            // A withdrawal is a change, too.
            filter.states.push(State::Withdrawn);
        }
        let (by, after) = (caller.actor(), request.resume_after);
        let Ok(place) = self.watchers.clone().try_acquire_owned() else {
            tracing::warn!(?by, "a watch was refused: every place is taken");
            let full = "as many watches are open as the gateway has places for: try again";
            return Err(Refusal::Busy(full).into());
        };
        let act = Act::WatchOpened { after };
        self.recorder.record(&by, act).await.map_err(Refusal::from)?;
        let watcher = Watcher::new(
            (self.alerts.clone(), filter),
            (self.recorder.clone(), by),
            after,
            (self.revision.clone(), self.stopping.clone()),
            (self.clock.clone(), self.regions.clone()),
        );
        let events = stream::unfold((watcher, place), |(mut watcher, place)| async move {
            let event = watcher.next().await?;
            Some((event.map_err(Status::from), (watcher, place)))
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn evaluate_rule(
        &self,
        request: Request<wire::EvaluateRuleRequest>,
    ) -> Answer<wire::EvaluateRuleResponse> {
        let caller = caller(&request)?;
        let (policy, generation) = self.policy.current_with_generation();
        let rule = match request.into_inner().rule {
            Some(wire::evaluate_rule_request::Rule::Id(id)) => policy
                .rules
                .iter()
                .find(|rule| rule.id == id)
                .cloned()
                .ok_or(Refusal::NotFound("the policy has no rule with this id"))?,
            Some(wire::evaluate_rule_request::Rule::Toml(text)) => {
                Arc::new(policy.parse_rule(&text).map_err(Refusal::from)?)
            }
            None => return Err(Refusal::Argument("rule: an id or a text is needed".into()).into()),
        };
        let known = policy.rules.iter().find(|known| known.id == rule.id);
        let act = Act::DryRun {
            rule: known.map(|rule| rule.id.parse().expect("a policy's rules are called by names")),
            rule_version: HexBytes(rule.version),
        };
        self.recorder.record(&caller.actor(), act).await.map_err(Refusal::from)?;
        let region = caller.0.region.clone();
        let count = move |base: &Base, now| dry_run::count(base, &rule, &region, now);
        let counts = question::ask(&self.questions, generation, count).await?;
        Ok(Response::new(suppressed(&counts)))
    }
}

impl Matches {
    fn stale(&self, rule: &Rule) -> Vec<String> {
        let (policy, now) = (self.policy.current(), self.clock.now());
        let board = self.epochs.present().status.read();
        let datasets = rule.datasets().into_iter().filter_map(|n| policy.catalogue.datasets.get(n));
        let stale = datasets.filter(|dataset| {
            let as_of = board.datasets.get(&dataset.schema.dataset).and_then(|line| line.as_of);
            as_of.is_none_or(|as_of| now >= later(as_of, dataset.fresh_within))
        });
        stale.map(|dataset| dataset.schema.dataset.to_string()).collect()
    }
}

fn token(alert: &Alert) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", alert.due_at.as_second(), alert.id))
}

fn after(token: &str) -> Result<Option<After>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (due_at, id) = text.split_once(' ')?;
        Some(After { due_at: due_at.parse().ok()?, id: id.to_owned() })
    };
    let after = parse();
    let text = "page_token is none that this gateway gave: begin with an empty one";
    after.map(Some).ok_or_else(|| Refusal::Argument(text.into()))
}

/// Small counts are not told. Where only one of the outcomes is small, the least of the others is
/// not told either: a rule may concern everybody, and the base less all others would then be the
/// small one. What this cannot prevent: answers to two rules that differ by a few people.
fn suppressed(counts: &Counts) -> wire::EvaluateRuleResponse {
    let mut outcomes = [counts.alerts, counts.covered, counts.over_means, counts.pending]
        .map(|n| (n, is_small(n)));
    if outcomes.iter().filter(|(_, hidden)| *hidden).count() == 1 {
        let others = outcomes.iter_mut().filter(|(value, hidden)| *value > 0 && !hidden);
        if let Some((_, hidden)) = others.min_by_key(|(value, _)| *value) {
            *hidden = true;
        }
    }
    let count = |(value, suppressed): (u64, bool)| {
        Some(wire::Count { value: if suppressed { 0 } else { value }, suppressed })
    };
    let [alerts, covered, over_means, pending] = outcomes.map(count);
    let base = count((counts.base, is_small(counts.base)));
    wire::EvaluateRuleResponse { alerts, covered, over_means, pending, base }
}

fn is_small(count: u64) -> bool {
    (1..SMALLEST_COUNT).contains(&count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        alerts: u64,
        covered: u64,
        over_means: u64,
        pending: u64,
        base: u64,
    ) -> Vec<Option<u64>> {
        let answer = suppressed(&Counts { alerts, covered, over_means, pending, base });
        let counts =
            [answer.alerts, answer.covered, answer.over_means, answer.pending, answer.base];
        let counts = counts.map(|count| count.expect("always there"));
        counts.map(|count| (!count.suppressed).then_some(count.value)).to_vec()
    }

    #[test]
    fn a_small_count_is_not_what_the_base_leaves_when_the_others_are_taken_off() {
        let (nobody, all) = (Some(0), Some(500));
        assert_eq!(told(100, 200, 50, 150, 500), [Some(100), Some(200), Some(50), Some(150), all]);
        assert_eq!(told(3, 497, 0, 0, 500), [None, None, nobody, nobody, all]);
        assert_eq!(told(3, 400, 97, 0, 500), [None, Some(400), None, nobody, all]);
        assert_eq!(told(3, 4, 493, 0, 500), [None, None, Some(493), nobody, all]);
        assert_eq!(told(9, 0, 0, 0, 9), [None, nobody, nobody, nobody, None]);
    }

    #[test]
    fn a_page_token_that_nobody_gave_is_refused() {
        assert!(matches!(after(""), Ok(None)));
        let good = URL_SAFE_NO_PAD.encode("17 AL-0000");
        let expected = After { due_at: 17, id: "AL-0000".into() };
        assert_eq!(after(&good).ok().flatten(), Some(expected));
        for bad in ["x", "####", &URL_SAFE_NO_PAD.encode("17"), &URL_SAFE_NO_PAD.encode("a b")] {
            assert!(matches!(after(bad), Err(Refusal::Argument(_))), "{bad}");
        }
    }
}

//! `MatchService`: what civil-affairs staff ask (PROTOCOL.md section 10).
//!
//! Who may ask was settled by `authorise`; every answer is narrowed to the caller's region.

use std::{pin::Pin, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{Stream, stream};
use jiff::Timestamp;
use proto::wire::{self, match_service_server::MatchService};
use tokio::sync::{mpsc, oneshot, watch};
use tonic::{Request, Response, Status};

use crate::{
    alert::{Alert, State},
    alerts::{After, Alerts, Filter},
    authorise::Caller,
    clock::{Clock, later},
    dry_run::{Counts, Question},
    policy_in_force::PolicyInForce,
    refusal::Refusal,
    rule::Rule,
    status::StatusBoard,
    wire_alert,
};

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;
/// How often a watcher hears that all is well.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How many changes a watcher is sent before the store is asked again.
const BATCH: u32 = 256;
/// Smaller numbers of people are not told.
const SMALLEST_COUNT: u64 = 10;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The service.
pub struct Matches {
    /// Alerts.
    pub alerts: Alerts,
    /// The policy.
    pub policy: Arc<PolicyInForce>,
    /// Freshness.
    pub status: Arc<StatusBoard>,
    /// The revision of the last alert written.
    pub revision: watch::Receiver<u64>,
    /// To the pipeline.
    pub questions: mpsc::Sender<Question>,
    /// The time.
    pub clock: Clock,
    /// Turns true when the gateway stops: watchers are told to come back.
    pub stopping: watch::Receiver<bool>,
}

type Answer<T> = Result<Response<T>, Status>;
type Events = Pin<Box<dyn Stream<Item = Result<wire::WatchAlertsResponse, Status>> + Send>>;

fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or(Refusal::Internal("a call came past the register"))
}

#[tonic::async_trait]
impl MatchService for Matches {
    type WatchAlertsStream = Events;

    async fn list_rules(
        &self,
        _: Request<wire::ListRulesRequest>,
    ) -> Answer<wire::ListRulesResponse> {
        let policy = self.policy.current();
        let rules = policy
            .rules
            .iter()
            .map(|rule| wire_alert::rule(rule, &policy.catalogue, self.stale(rule)));
        Ok(Response::new(wire::ListRulesResponse {
            rules: rules.collect(),
            policy_version: policy.version.to_vec(),
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
        let full = page.len() == size as usize;
        let last = page.last().filter(|_| full);
        Ok(Response::new(wire::ListAlertsResponse {
            next_page_token: last.map(token).unwrap_or_default(),
            alerts: page.iter().map(wire_alert::alert).collect(),
        }))
    }

    async fn get_alert(
        &self,
        request: Request<wire::GetAlertRequest>,
    ) -> Answer<wire::GetAlertResponse> {
        let caller = caller(&request)?;
        let alert = self.alerts.get(&request.get_ref().id).await.map_err(Refusal::from)?;
        let visible = |alert: &Alert| alert.region.starts_with(&caller.0.region);
        // An alert elsewhere is as good as none.
        let alert = alert
            .filter(visible)
            .ok_or(Refusal::NotFound("no alert of your region has this id"))?;
        let policy = self.policy.current();
        let rule = policy.rules.iter().find(|rule| rule.id == alert.rule);
        Ok(Response::new(wire::GetAlertResponse {
            findings: alert.findings.iter().map(wire_alert::finding).collect(),
            rule_label: rule.map(|rule| wire_alert::label(&rule.label)),
            situation_label: policy.catalogue.situation(&alert.situation).map(wire_alert::label),
            assist: wire_alert::measures(&alert.assist, &policy.catalogue),
            alert: Some(wire_alert::alert(&alert)),
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
        let watcher = Watcher {
            alerts: self.alerts.clone(),
            filter,
            told: request.resume_after,
            looked: request.resume_after,
            waiting: vec![],
            revision: self.revision.clone(),
            clock: self.clock.clone(),
            stopping: self.stopping.clone(),
        };
        let events = stream::unfold(watcher, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((event, watcher))
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
        let (answer, counts) = oneshot::channel();
        let question = Question { rule, generation, region: caller.0.region.clone(), answer };
        let busy = || Refusal::Busy("the gateway is busy or its catalogue changed: try again");
        self.questions.send(question).await.map_err(|_| busy())?;
        let counts = tokio::time::timeout(ANSWER_WITHIN, counts).await;
        let counts = counts.ok().and_then(Result::ok).ok_or_else(busy)?;
        Ok(Response::new(suppressed(&counts)))
    }
}

impl Matches {
    fn stale(&self, rule: &Rule) -> Vec<String> {
        let (policy, board, now) = (self.policy.current(), self.status.read(), self.clock.now());
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

/// Small counts are not told, nor is anything from which one could be computed: the base is told
/// apart from the others, and those whom the rule does not concern are never counted.
fn suppressed(counts: &Counts) -> wire::EvaluateRuleResponse {
    let count = |value: u64| {
        let suppressed = (1..SMALLEST_COUNT).contains(&value);
        Some(wire::Count { value: if suppressed { 0 } else { value }, suppressed })
    };
    wire::EvaluateRuleResponse {
        alerts: count(counts.alerts),
        covered: count(counts.covered),
        over_means: count(counts.over_means),
        pending: count(counts.pending),
        base: count(counts.base),
    }
}

/// One open `WatchAlerts`.
struct Watcher {
    alerts: Alerts,
    filter: Filter,
    /// The revision of the last change sent.
    told: u64,
    /// Everything up to this revision was looked at.
    looked: u64,
    /// Changes to send, the next at the end.
    waiting: Vec<Alert>,
    revision: watch::Receiver<u64>,
    clock: Clock,
    stopping: watch::Receiver<bool>,
}

impl Watcher {
    /// The next event; nothing where the gateway stops.
    async fn next(&mut self) -> Option<Result<wire::WatchAlertsResponse, Status>> {
        loop {
            if let Some(alert) = self.waiting.pop() {
                self.told = alert.revision;
                return Some(Ok(event(wire::watch_alerts_response::Event::Alert(
                    wire_alert::alert(&alert),
                ))));
            }
            let newest = *self.revision.borrow_and_update();
            if newest > self.looked {
                match self.alerts.since(&self.filter, self.told, BATCH).await {
                    Ok(changes) => {
                        if changes.len() < BATCH as usize {
                            self.looked = newest;
                        }
                        self.told = changes.last().map_or(newest, |last| last.revision);
                        self.waiting = changes;
                        self.waiting.reverse();
                    }
                    Err(error) => return Some(Err(Refusal::from(error).into())),
                }
                continue;
            }
            let quiet = tokio::select! {
                changed = self.revision.changed() => {
                    changed.ok()?;
                    false
                }
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep(HEARTBEAT) => true,
            };
            if quiet {
                return Some(Ok(self.heartbeat()));
            }
        }
    }

    fn heartbeat(&self) -> wire::WatchAlertsResponse {
        let at: Timestamp = self.clock.now();
        event(wire::watch_alerts_response::Event::Heartbeat(wire::Heartbeat {
            at: Some(wire_alert::timestamp(at)),
            revision: self.looked,
        }))
    }
}

fn event(event: wire::watch_alerts_response::Event) -> wire::WatchAlertsResponse {
    wire::WatchAlertsResponse { event: Some(event) }
}

//! `StatisticsService`: counts for those who plan help (PROTOCOL.md section 23).
//!
//! Computes a period's statistics when somebody first asks, keeps them, and shows what is kept.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use proto::{
    act::Act,
    hex_bytes::HexBytes,
    wire::{self, statistics_service_server::StatisticsService},
};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use crate::{
    audit::recorder::Recorder,
    authorise::{Caller, caller},
    base::Base,
    clock::{Clock, later},
    epoch::LiveEpochs,
    evaluation::FIRST_ARRIVALS,
    policy::Policy,
    policy_in_force::PolicyInForce,
    question::{self, Question},
    refusal::Refusal,
    regions::Regions,
    statistics::{
        kept::{Kept, Kind, digest},
        names::Names,
        period, records, report, screening,
    },
    wire_alert::timestamp,
};

/// The service.
pub struct Planning {
    /// What was computed, beside what it is computed from.
    pub kept: Kept,
    /// To the base.
    pub questions: mpsc::Sender<Question>,
    /// Rules and what they are called.
    pub policy: Arc<PolicyInForce>,
    /// What regions are called.
    pub regions: Arc<Regions>,
    /// Freshness.
    pub epochs: Arc<LiveEpochs>,
    /// The time.
    pub clock: Clock,
    /// When the gateway started.
    pub begun: Timestamp,
    /// Writes down who is shown what.
    pub recorder: Recorder,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl StatisticsService for Planning {
    async fn screening(
        &self,
        request: Request<wire::ScreeningRequest>,
    ) -> Answer<wire::ScreeningResponse> {
        let (caller, now) = (caller(&request)?, self.clock.now());
        let today = period::day(now);
        let date = match &request.get_ref().date[..] {
            "" => today,
            text => text.parse().map_err(|_| Refusal::Argument("date is no day".into()))?,
        };
        let statistics = match self.kept.get(Kind::Screening, &date.to_string()).await {
            Ok(Some(kept)) => kept,
            Ok(None) if date == today => self.screen(today, now).await?,
            Ok(None) => {
                let text = "nothing was computed for that day: it is computed on the day itself, \
                            when somebody first asks";
                return Err(Refusal::NotFound(text).into());
            }
            Err(error) => return Err(Refusal::from(error).into()),
        };
        let digest = digest(&statistics);
        let act = Act::ScreeningRead { date, digest: HexBytes(digest) };
        let logged = Some(self.logged(&caller, act).await?);
        let (statistics, digest) = (Some(statistics), digest.to_vec());
        Ok(Response::new(wire::ScreeningResponse { statistics, digest, logged }))
    }

    async fn report(&self, request: Request<wire::ReportRequest>) -> Answer<wire::ReportResponse> {
        let (caller, now) = (caller(&request)?, self.clock.now());
        let month = period::month(&request.get_ref().month);
        let month = month.ok_or_else(|| {
            Refusal::Argument("month is no month: it is written as 2026-10".into())
        })?;
        let name = month.strftime("%Y-%m").to_string();
        let kept = self.kept.get(Kind::Report, &name).await.map_err(Refusal::from)?;
        let statistics = match kept {
            Some(kept) => kept,
            None => self.sum_up(month, name, now).await?,
        };
        let digest = digest(&statistics);
        let act = Act::StatisticsRead { month, digest: HexBytes(digest) };
        let logged = Some(self.logged(&caller, act).await?);
        let (statistics, digest) = (Some(statistics), digest.to_vec());
        Ok(Response::new(wire::ReportResponse { statistics, digest, logged }))
    }
}

impl Planning {
    async fn logged(&self, caller: &Caller, act: Act) -> Result<wire::LogPlace, Refusal> {
        let index = self.recorder.record(&caller.actor(), act).await?;
        Ok(self.recorder.place(index))
    }

    async fn screen(&self, today: Date, now: Timestamp) -> Result<wire::Statistics, Refusal> {
        let (policy, generation) = self.policy.current_with_generation();
        let (missing, stale_datasets) = self.not_fresh(&policy, now);
        if missing && now < later(self.begun, FIRST_ARRIVALS) {
            return Err(Refusal::Busy("the base is not whole yet: try again in two minutes"));
        }
        let policy_version = policy.version.to_vec();
        let regions = self.regions.clone();
        let count = move |base: &Base, now| {
            let names = Names { policy: &policy, regions: &regions };
            screening::table(base, &names, now)
        };
        let table = question::ask(&self.questions, generation, count).await?;
        let computed = wire::Statistics {
            period: today.to_string(),
            made_at: Some(timestamp(now)),
            policy_version,
            tables: vec![table],
            delays: vec![],
            stale_datasets,
        };
        Ok(self.kept.keep(Kind::Screening, &computed).await?)
    }

    async fn sum_up(
        &self,
        month: Date,
        name: String,
        now: Timestamp,
    ) -> Result<wire::Statistics, Refusal> {
        let bounds = period::month_bounds(month);
        if now < bounds.1 {
            let text = "the month has not ended: its report is computed once, afterwards";
            return Err(Refusal::Argument(text.into()));
        }
        let policy = self.policy.current();
        let raised = records::raised(self.kept.pool(), bounds).await?;
        let happened = records::happened(self.kept.pool(), bounds).await?;
        let names = Names { policy: &policy, regions: &self.regions };
        let (tables, delays) = report::of(&raised, &happened, &names);
        let computed = wire::Statistics {
            period: name,
            made_at: Some(timestamp(now)),
            policy_version: policy.version.to_vec(),
            tables,
            delays,
            stale_datasets: vec![],
        };
        Ok(self.kept.keep(Kind::Report, &computed).await?)
    }

    /// Whether a dataset never came, and those that are missing or too old.
    fn not_fresh(&self, policy: &Policy, now: Timestamp) -> (bool, Vec<String>) {
        let board = self.epochs.present().status.read();
        let (mut missing, mut stale) = (false, vec![]);
        for dataset in &policy.catalogue.datasets {
            let id = &dataset.schema.dataset;
            let as_of = board.datasets.get(id).and_then(|line| line.as_of);
            missing |= as_of.is_none();
            if as_of.is_none_or(|as_of| now >= later(as_of, dataset.fresh_within)) {
                stale.push(id.to_string());
            }
        }
        (missing, stale)
    }
}

//! Brings returned work orders to the adapters of the hotlines that took them, until they have them
//! (PROTOCOL.md section 20.5).
//!
//! An order that was brought and not forgotten here, because of a crash between the two, is brought again:
//! its adapter knows it by its id.

use std::{sync::Arc, time::Duration};

use proto::{
    act::Act,
    case_event::ReturnReason,
    entry::Actor,
    name::{AgencyId, DatasetId},
    wire::{self, hotline_service_client::HotlineServiceClient},
};
use sqlx::SqlitePool;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;

use super::returns::{self, ReturnedOrder, ReturnsError};
use crate::{
    audit::recorder::{Recorder, Unrecorded},
    connections::Connections,
    epoch::LiveEpochs,
    follow,
    link::Backoff,
    wire_alert,
};

/// How often it is looked whether orders were returned.
const LOOK: Duration = Duration::from_secs(2);
/// Deadline of a call.
const DEADLINE: Duration = Duration::from_secs(15);

/// What is needed to bring orders back.
pub struct Carrying {
    /// Where they wait.
    pub pool: SqlitePool,
    /// The way to adapters.
    pub connections: Arc<Connections>,
    /// Says so first.
    pub recorder: Recorder,
    /// The scope of what is sent.
    pub epochs: Arc<LiveEpochs>,
}

/// Why an order is still here.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Store(#[from] ReturnsError),
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    #[error("{0}")]
    Adapter(String),
}

impl Carrying {
    /// Never returns; dropped when the gateway stops.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            if self.bring_all().await {
                backoff = Backoff::default();
                sleep(LOOK).await;
            } else {
                backoff.wait().await;
            }
        }
    }

    /// Says whether nothing is left that could be brought to anybody who is connected.
    async fn bring_all(&self) -> bool {
        let hotlines = match returns::waiting(&self.pool).await {
            Ok(hotlines) => hotlines,
            Err(error) => {
                tracing::error!(%error, "returned work orders cannot be read");
                return false;
            }
        };
        let mut settled = true;
        for hotline in hotlines {
            let Some(channel) = self.connections.channel(&hotline.0) else { continue };
            if let Err(problem) = self.bring(&hotline, channel).await {
                let (agency, dataset) = hotline;
                tracing::warn!(%agency, %dataset, %problem, "returned work orders wait");
                settled = false;
            }
        }
        settled
    }

    async fn bring(
        &self,
        hotline: &(AgencyId, DatasetId),
        channel: Channel,
    ) -> Result<(), Problem> {
        let mut client = HotlineServiceClient::new(channel);
        loop {
            let orders = returns::of_hotline(&self.pool, hotline).await?;
            if orders.is_empty() {
                return Ok(());
            }
            let (agency, dataset) = hotline.clone();
            let numbers = orders.iter().map(|order| order.number).collect();
            let carried = Act::OrdersReturned { agency, dataset, orders: numbers };
            let index = self.recorder.record(&Actor::Gateway, carried).await?;
            let request = self.request(&hotline.1, &orders);
            let answer = match timeout(DEADLINE, client.return_orders(request)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(status)) => Err(Problem::Adapter(follow::words(&status))),
                Err(_) => {
                    Err(Problem::Adapter(format!("no answer within {} s", DEADLINE.as_secs())))
                }
            };
            if answer.is_err() {
                self.recorder.failed(index..index + 1).await;
            }
            answer?;
            returns::delivered(&self.pool, &orders).await?;
        }
    }

    fn request(&self, dataset: &DatasetId, orders: &[ReturnedOrder]) -> wire::ReturnOrdersRequest {
        let order = |order: &ReturnedOrder| wire::ReturnedOrder {
            id: order.id.to_vec(),
            number: order.number,
            reason: reason(order.reason).into(),
            at: Some(wire_alert::timestamp(order.at)),
        };
        wire::ReturnOrdersRequest {
            scope: Some((&self.epochs.present().manifest.scope).into()),
            dataset: dataset.to_string(),
            orders: orders.iter().map(order).collect(),
        }
    }
}

fn reason(reason: ReturnReason) -> wire::ReturnReason {
    match reason {
        ReturnReason::WrongRegion => wire::ReturnReason::WrongRegion,
        ReturnReason::MovedAway => wire::ReturnReason::MovedAway,
        ReturnReason::NotOurDuty => wire::ReturnReason::NotOurDuty,
        ReturnReason::Duplicate => wire::ReturnReason::Duplicate,
        ReturnReason::Unreachable => wire::ReturnReason::Unreachable,
    }
}

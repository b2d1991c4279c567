//! HotlineService: the gateway brings work orders back to the agency whose hotline took them. Nobody
//! else may call (PROTOCOL.md section 20.5).

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use proto::{
    case_event::ReturnReason,
    name::DatasetId,
    wire::{self, hotline_service_server::HotlineService},
};
use tonic::{Request, Response, Status};

use crate::{
    adapter_service::admit,
    config::Config,
    epochs::Epochs,
    refusal,
    returned_orders::{ReturnedOrder, ReturnedOrders},
    witness::{cosigning::Witness, own_act::OwnAct},
};

/// Returns in one call.
const MOST_RETURNS: usize = 256;

/// Takes work orders back.
pub struct Hotline {
    epochs: Arc<Epochs>,
    witness: Arc<Witness>,
    /// Those whose rows are work orders.
    datasets: BTreeSet<DatasetId>,
    returned: Arc<ReturnedOrders>,
}

impl Hotline {
    /// For the datasets of a configuration that have work orders.
    pub fn new(config: &Config, epochs: Arc<Epochs>, witness: Arc<Witness>) -> Self {
        let hotlines = config.datasets.iter().filter(|dataset| dataset.work_order.is_some());
        Self {
            epochs,
            witness,
            datasets: hotlines.map(|dataset| dataset.id.clone()).collect(),
            returned: Arc::new(ReturnedOrders::new(&config.state_dir)),
        }
    }
}

#[tonic::async_trait]
impl HotlineService for Hotline {
    async fn return_orders(
        &self,
        request: Request<wire::ReturnOrdersRequest>,
    ) -> Result<Response<wire::ReturnOrdersResponse>, Status> {
        admit(&self.epochs, request.extensions())?;
        self.witness.gate.pass().map_err(|stopped| refusal::stopped(&stopped))?;
        let request = request.into_inner();
        self.epochs.of(request.scope).map_err(|error| refusal::scope(&error))?;
        let unknown = || refusal::unknown_dataset("work order");
        let dataset: DatasetId = request.dataset.parse().map_err(|_| unknown())?;
        if !self.datasets.contains(&dataset) {
            return Err(unknown());
        }
        if request.orders.len() > MOST_RETURNS {
            return Err(refusal::argument(format!("more than {MOST_RETURNS} orders at once")));
        }
        let orders = request.orders.into_iter().map(order).collect::<Result<Vec<_>, _>>()?;
        let (witness, returned) = (self.witness.clone(), self.returned.clone());
        let keep = move || {
            let act = OwnAct::OrdersReturned { dataset: dataset.clone() };
            witness.note(act).map_err(|error| refusal::acts(&error))?;
            let new = returned.add(&dataset, &orders).map_err(|error| refusal::returns(&error))?;
            tracing::info!(%dataset, new, "work orders were given back");
            Ok(Response::new(wire::ReturnOrdersResponse {}))
        };
        tokio::task::spawn_blocking(keep).await.map_err(|_| refusal::internal())?
    }
}

fn order(order: wire::ReturnedOrder) -> Result<ReturnedOrder, Status> {
    let id = order.id.try_into().map_err(|_| refusal::argument("a return's id has 16 bytes"))?;
    let at = order.at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    Ok(ReturnedOrder {
        id,
        number: order.number,
        reason: reason(order.reason)?,
        at: at.ok_or_else(|| refusal::argument("a return has no usable time"))?,
    })
}

fn reason(number: i32) -> Result<ReturnReason, Status> {
    use wire::ReturnReason as Wire;
    match Wire::try_from(number) {
        Ok(Wire::WrongRegion) => Ok(ReturnReason::WrongRegion),
        Ok(Wire::MovedAway) => Ok(ReturnReason::MovedAway),
        Ok(Wire::NotOurDuty) => Ok(ReturnReason::NotOurDuty),
        Ok(Wire::Duplicate) => Ok(ReturnReason::Duplicate),
        Ok(Wire::Unreachable) => Ok(ReturnReason::Unreachable),
        Ok(Wire::Unspecified) | Err(_) => Err(refusal::argument("a return has no known reason")),
    }
}

//! A gateway for tests: the services with scripted answers, on loopback ports, without TLS.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures::{Stream, StreamExt, stream};
use proto::{
    fault::Reason,
    wire::{
        admin_service_server::{AdminService, AdminServiceServer},
        case_service_server::CaseServiceServer,
        evaluate_rule_request::Rule as Tried,
        match_service_server::{MatchService, MatchServiceServer},
        watch_alerts_response::Event,
        *,
    },
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server},
};

use crate::{connection::Gateway, failure::Failure};

type Message = Result<WatchAlertsResponse, Status>;

/// One stream of a watch.
pub enum Script {
    /// Sends these and ends.
    Ends(Vec<Message>),
    /// Sends these and is then silent.
    Hangs(Vec<Message>),
}

/// What the gateway answers. Watches beyond the scripts are refused as not permitted.
#[derive(Default)]
pub struct Fake {
    pub alerts: Vec<Alert>,
    pub explained: Option<GetAlertResponse>,
    pub streams: Mutex<VecDeque<Script>>,
    pub asked: Arc<Mutex<Vec<WatchAlertsRequest>>>,
    pub people: Vec<PersonCases>,
    pub case: Option<GetCaseResponse>,
    pub steps: Arc<Mutex<Vec<StepRequest>>>,
}

/// A running fake.
pub struct Served {
    staff: SocketAddr,
    admin: SocketAddr,
    asked: Arc<Mutex<Vec<WatchAlertsRequest>>>,
}

/// An open alert.
pub fn alert(id: &str, revision: u64) -> Alert {
    Alert { id: id.into(), revision, state: AlertState::Open.into(), ..Default::default() }
}

/// The message of a change.
pub fn changed(alert: Alert) -> Message {
    Ok(WatchAlertsResponse { event: Some(Event::Alert(alert)), logged: None })
}

/// The message of a heartbeat.
pub fn beat(revision: u64) -> Message {
    Ok(WatchAlertsResponse {
        event: Some(Event::Heartbeat(Heartbeat { at: None, revision })),
        logged: None,
    })
}

impl Fake {
    /// A gateway with these streams for its watches, in order.
    pub fn with_streams(streams: impl Into<VecDeque<Script>>) -> Self {
        Self { streams: Mutex::new(streams.into()), ..Self::default() }
    }

    /// Serves what is for staff and what is for administrators, each on a free port, until the test's runtime ends.
    pub async fn serve(self) -> Served {
        let asked = self.asked.clone();
        let (staff, staff_listener) = listener().await;
        let (admin, admin_listener) = listener().await;
        let fake = Arc::new(self);
        let staff_services = Server::builder()
            .add_service(MatchServiceServer::from_arc(fake.clone()))
            .add_service(CaseServiceServer::from_arc(fake));
        tokio::spawn(staff_services.serve_with_incoming(staff_listener));
        let admin_service = AdminServiceServer::new(Closed);
        tokio::spawn(Server::builder().serve_with_incoming(admin_service, admin_listener));
        Served { staff, admin, asked }
    }
}

async fn listener() -> (SocketAddr, TcpListenerStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (address, TcpListenerStream::new(listener))
}

async fn connected(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("it is a URI");
    endpoint.connect().await.expect("the fake listens")
}

impl Served {
    /// A new connection to the service for staff.
    pub async fn channel(&self) -> Result<Channel, Failure> {
        Ok(connected(self.staff).await)
    }

    /// All services.
    pub async fn gateway(&self) -> Gateway {
        let staff = Gateway::over(connected(self.staff).await);
        Gateway {
            staff: staff.staff,
            cases: staff.cases,
            disclosures: staff.disclosures,
            admin: Gateway::over(connected(self.admin).await).admin,
            audit: Gateway::over(connected(self.admin).await).audit,
            statistics: staff.statistics,
        }
    }

    /// The watches asked for so far.
    pub fn asked(&self) -> Vec<WatchAlertsRequest> {
        self.asked.lock().expect("no test panics with it").clone()
    }
}

#[tonic::async_trait]
impl MatchService for Fake {
    async fn list_rules(
        &self,
        _: Request<ListRulesRequest>,
    ) -> Result<Response<ListRulesResponse>, Status> {
        Err(Reason::NotPermitted.status("rules are not shown to you"))
    }

    /// The page token is the number of alerts on the pages before.
    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        let request = request.into_inner();
        let start: usize = request.page_token.parse().unwrap_or(0);
        let end = self.alerts.len().min(start + request.page_size as usize);
        let more = end < self.alerts.len();
        Ok(Response::new(ListAlertsResponse {
            alerts: self.alerts[start..end].to_vec(),
            next_page_token: if more { end.to_string() } else { String::new() },
            logged: None,
        }))
    }

    async fn get_alert(
        &self,
        request: Request<GetAlertRequest>,
    ) -> Result<Response<GetAlertResponse>, Status> {
        let missing = || Reason::NotFound.status(format!("alert {}", request.get_ref().id));
        self.explained.clone().map(Response::new).ok_or_else(missing)
    }

    type WatchAlertsStream = Pin<Box<dyn Stream<Item = Message> + Send>>;

    async fn watch_alerts(
        &self,
        request: Request<WatchAlertsRequest>,
    ) -> Result<Response<Self::WatchAlertsStream>, Status> {
        self.asked.lock().expect("no test panics with it").push(request.into_inner());
        match self.streams.lock().expect("no test panics with it").pop_front() {
            Some(Script::Ends(messages)) => Ok(Response::new(stream::iter(messages).boxed())),
            Some(Script::Hangs(messages)) => {
                Ok(Response::new(stream::iter(messages).chain(stream::pending()).boxed()))
            }
            None => Err(Reason::NotPermitted.status("the script is over")),
        }
    }

    async fn evaluate_rule(
        &self,
        request: Request<EvaluateRuleRequest>,
    ) -> Result<Response<EvaluateRuleResponse>, Status> {
        match request.into_inner().rule {
            Some(Tried::Toml(_)) => Ok(Response::new(EvaluateRuleResponse {
                alerts: Some(Count { value: 0, suppressed: true }),
                ..Default::default()
            })),
            _ => Err(Reason::NotFound.status("no such rule")),
        }
    }
}

/// To an officer without the role, administration is closed.
struct Closed;

fn closed<T>() -> Result<Response<T>, Status> {
    Err(Reason::NotPermitted.status("this needs the role administrator"))
}

#[tonic::async_trait]
impl AdminService for Closed {
    async fn list_agencies(
        &self,
        _: Request<ListAgenciesRequest>,
    ) -> Result<Response<ListAgenciesResponse>, Status> {
        closed()
    }

    async fn list_datasets(
        &self,
        _: Request<ListDatasetsRequest>,
    ) -> Result<Response<ListDatasetsResponse>, Status> {
        closed()
    }

    async fn list_grants(
        &self,
        _: Request<ListGrantsRequest>,
    ) -> Result<Response<ListGrantsResponse>, Status> {
        closed()
    }

    async fn list_epochs(
        &self,
        _: Request<ListEpochsRequest>,
    ) -> Result<Response<ListEpochsResponse>, Status> {
        closed()
    }

    async fn list_refusals(
        &self,
        _: Request<ListRefusalsRequest>,
    ) -> Result<Response<ListRefusalsResponse>, Status> {
        closed()
    }

    async fn reload_policy(
        &self,
        _: Request<ReloadPolicyRequest>,
    ) -> Result<Response<ReloadPolicyResponse>, Status> {
        closed()
    }

    async fn list_notifications(
        &self,
        _: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        closed()
    }

    async fn retry_notifications(
        &self,
        _: Request<RetryNotificationsRequest>,
    ) -> Result<Response<RetryNotificationsResponse>, Status> {
        closed()
    }
}

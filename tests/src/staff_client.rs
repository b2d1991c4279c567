//! Calls to a running gateway as a member of staff, over mutual TLS.

use std::{collections::BTreeMap, fs, net::SocketAddr};

use anyhow::Context;
use proto::{
    identity::{Identity, Party},
    tls::{Tls, TlsPem},
    transport::{self, Target},
    wire::{
        self, admin_service_client::AdminServiceClient, audit_service_client::AuditServiceClient,
        case_service_client::CaseServiceClient, disclosure_service_client::DisclosureServiceClient,
        match_service_client::MatchServiceClient,
        statistics_service_client::StatisticsServiceClient,
    },
};
use tonic::transport::Channel;

use crate::deployment::{Deployment, Staff};

/// One member of staff's connection.
#[derive(Clone)]
pub struct StaffClient {
    /// Alerts and rules.
    pub matches: MatchServiceClient<Channel>,
    /// Cases.
    pub cases: CaseServiceClient<Channel>,
    /// Agencies and datasets.
    pub admin: AdminServiceClient<Channel>,
    /// Contact details.
    pub disclosures: DisclosureServiceClient<Channel>,
    /// The access log, and receipts.
    pub audit: AuditServiceClient<Channel>,
    /// Counts for planning.
    pub statistics: StatisticsServiceClient<Channel>,
}

/// Subject and rule of a live alert, and its state.
pub type Alerts = BTreeMap<(String, String), wire::AlertState>;

impl StaffClient {
    /// Connects with the certificate that the deployment made.
    ///
    /// # Errors
    /// What failed: files, connection, handshake.
    pub async fn connect(
        deployment: &Deployment,
        staff: &Staff,
        gateway: SocketAddr,
    ) -> anyhow::Result<Self> {
        let channel = channel(deployment, staff, gateway).await?;
        Ok(Self {
            matches: MatchServiceClient::new(channel.clone()),
            cases: CaseServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel.clone()),
            disclosures: DisclosureServiceClient::new(channel.clone()),
            statistics: StatisticsServiceClient::new(channel.clone()),
            audit: AuditServiceClient::new(channel),
        })
    }

    /// Every live alert that this member of staff may see.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub async fn alerts(&mut self) -> anyhow::Result<Vec<wire::Alert>> {
        let mut alerts = vec![];
        let mut page_token = String::new();
        loop {
            let request = wire::ListAlertsRequest { page_size: 500, page_token, filter: None };
            let page = self.matches.list_alerts(request).await?.into_inner();
            alerts.extend(page.alerts);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(alerts);
            }
        }
    }

    /// The same, reduced to what an oracle can say.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub async fn alert_states(&mut self) -> anyhow::Result<Alerts> {
        let alerts = self.alerts().await?.into_iter();
        Ok(alerts.map(|a| ((a.subject.clone(), a.rule.clone()), a.state())).collect())
    }

    /// The epoch in force and, while there is one, the next.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub async fn epochs(&mut self) -> anyhow::Result<Vec<wire::EpochStatus>> {
        Ok(self.admin.list_epochs(wire::ListEpochsRequest {}).await?.into_inner().epochs)
    }

    /// Every dataset's state.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub async fn datasets(&mut self) -> anyhow::Result<Vec<wire::DatasetStatus>> {
        Ok(self.admin.list_datasets(wire::ListDatasetsRequest {}).await?.into_inner().datasets)
    }
}

/// A channel with a member of staff's certificate.
///
/// # Errors
/// What failed: files, connection, handshake.
pub async fn channel(
    deployment: &Deployment,
    staff: &Staff,
    gateway: SocketAddr,
) -> anyhow::Result<Channel> {
    let tls = deployment.dir.join("staff").join(staff.id).join("tls");
    let read = |name: &str| fs::read(tls.join(name)).with_context(|| name.to_owned());
    let tls = Tls::from_pem(&TlsPem {
        certificate: &read("certificate.pem")?,
        key: &read("key.pem")?,
        trust: &read("trust.pem")?,
        revoked: Some(&read("revoked.pem")?),
    })?;
    let identity = Identity {
        programme: deployment.manifest.scope.programme.clone(),
        party: Party::Gateway("gateway".parse()?),
    };
    let target = Target { address: gateway.to_string(), server_name: "localhost".into(), identity };
    transport::connect(target, tls.client).await.map_err(anyhow::Error::msg)
}

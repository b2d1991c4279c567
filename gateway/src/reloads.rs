//! What is read again while the gateway serves: the policy, the manifest, the TLS files.
//!
//! Owns that one of them that is refused keeps none of the others from being read, and stays as it was.
//! What is good is each one's own business.

use std::sync::Arc;

use futures::future::BoxFuture;
use proto::{act::Act, entry::Actor};

use crate::{
    audit::recorder::Recorder, manifest_in_force::ManifestInForce, policy_in_force::PolicyInForce,
    tls_in_force::TlsInForce,
};

/// Reads everything again.
pub struct Reloads {
    pub(crate) policy: Arc<PolicyInForce>,
    pub(crate) manifest: Arc<ManifestInForce>,
    pub(crate) tls: Arc<TlsInForce>,
    pub(crate) recorder: Recorder,
}

impl Reloads {
    /// Reads all of it again, once each; the program's log says what came of it.
    pub fn read(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.read_policy().await;
            self.read_manifest().await;
            self.read_tls_files().await;
        })
    }

    async fn read_policy(&self) {
        match self.policy.reload(&self.recorder, &Actor::Gateway).await {
            Ok(policy) => tracing::info!(rules = policy.rules.len(), "policy reloaded"),
            Err(error) => tracing::error!(%error, "policy refused; the old one stays"),
        }
    }

    async fn read_manifest(&self) {
        match self.manifest.reload(&self.recorder, &Actor::Gateway).await {
            Ok(manifest) => tracing::info!(version = manifest.version, "manifest read again"),
            Err(error) => {
                let problem = format!("{error:#}");
                tracing::error!(problem, "manifest refused; the old one stays");
            }
        }
    }

    async fn read_tls_files(&self) {
        if let Err(error) = self.recorder.record(&Actor::Gateway, Act::TlsFilesRead {}).await {
            tracing::error!(%error, "TLS files not read again; the old ones stay");
            return;
        }
        match self.tls.reload() {
            Ok(()) => tracing::info!("TLS files read again"),
            Err(error) => {
                let problem = format!("{error:#}");
                tracing::error!(problem, "TLS files refused; the old ones stay");
            }
        }
    }
}

//! Our certificate and whom we trust, as read last; read again without a restart.
//!
//! Files that do not check are refused and the old ones stay. New connections, in both directions,
//! use the new ones; accepted connections end within the age that connections have.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use proto::{
    identity::{Identity, Party},
    name::ProgrammeId,
    tls::{Tls, TlsPem},
};
use rustls::{ClientConfig, ServerConfig};
use serde::Deserialize;
use tokio::sync::watch;

/// The `[tls]` table: where the PEM files are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    trust: PathBuf,
    revoked: Option<PathBuf>,
}

/// The files' content that is in force.
pub struct TlsInForce {
    files: TlsFiles,
    programme: ProgrammeId,
    identity: Identity,
    server: watch::Sender<Arc<ServerConfig>>,
    client: watch::Sender<Arc<ClientConfig>>,
}

impl TlsFiles {
    /// The same files, seen from `directory` where their paths are relative.
    pub fn within(self, directory: &Path) -> Self {
        Self {
            certificate: directory.join(self.certificate),
            key: directory.join(self.key),
            trust: directory.join(self.trust),
            revoked: self.revoked.map(|path| directory.join(path)),
        }
    }

    /// Reads them and checks that they are a gateway's of this programme.
    fn read(&self, programme: &ProgrammeId) -> anyhow::Result<Tls> {
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let revoked = self.revoked.as_deref().map(read).transpose()?;
        let tls = Tls::from_pem(&TlsPem {
            certificate: &read(&self.certificate)?,
            key: &read(&self.key)?,
            trust: &read(&self.trust)?,
            revoked: revoked.as_deref(),
        })
        .context("the files under [tls]")?;
        if tls.identity.programme != *programme || !matches!(tls.identity.party, Party::Gateway(_))
        {
            bail!(
                "the certificate is {}'s; a gateway of programme {programme} needs one for \
                 spiffe://{programme}/gateway/<id>",
                tls.identity
            );
        }
        Ok(tls)
    }
}

impl TlsInForce {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(files: TlsFiles, programme: &ProgrammeId) -> anyhow::Result<Self> {
        let tls = files.read(programme)?;
        Ok(Self {
            files,
            programme: programme.clone(),
            identity: tls.identity,
            server: watch::channel(tls.server).0,
            client: watch::channel(tls.client).0,
        })
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// Names the file and what is wrong with it; then the old ones stay.
    pub fn reload(&self) -> anyhow::Result<()> {
        let tls = self.files.read(&self.programme)?;
        if tls.identity != self.identity {
            bail!("the certificate is {}'s, and this is {}", tls.identity, self.identity);
        }
        self.server.send_replace(tls.server);
        self.client.send_replace(tls.client);
        Ok(())
    }

    /// For accepting connections.
    pub fn server(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.server.subscribe()
    }

    /// For dialling.
    pub fn client(&self) -> watch::Receiver<Arc<ClientConfig>> {
        self.client.subscribe()
    }
}

//! gateway.toml and the files it names, read and checked before anything starts.
//!
//! The policy is not here: it changes while the gateway runs, and `policy_in_force` reads it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use proto::{
    identity::{Identity, Party},
    manifest::Manifest,
    name::AgencyId,
    tls::{Tls, TlsPem},
    transport::Target,
};
use serde::Deserialize;

use crate::authorise::Officer;

/// Everything the gateway needs to start.
pub struct Config {
    /// Where staff connect.
    pub listen: SocketAddr,
    /// Holds sealed rows, alerts and policy history.
    pub data_dir: PathBuf,
    /// The federation.
    pub manifest: Manifest,
    /// The policy file.
    pub policy: PathBuf,
    /// Our certificate and whom we trust.
    pub tls: Tls,
    /// The adapters to dial.
    pub adapters: Vec<Adapter>,
    /// Who may call what.
    pub officers: Vec<Officer>,
}

/// One adapter to dial.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Whose it is.
    pub agency: AgencyId,
    /// Where it listens and who must answer.
    pub target: Target,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: SocketAddr,
    data_dir: PathBuf,
    manifest: PathBuf,
    policy: PathBuf,
    tls: FileTls,
    #[serde(rename = "adapter")]
    adapters: Vec<FileAdapter>,
    #[serde(rename = "officer", default)]
    officers: Vec<Officer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTls {
    certificate: PathBuf,
    key: PathBuf,
    trust: PathBuf,
    revoked: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAdapter {
    agency: AgencyId,
    address: String,
    #[serde(default = "localhost")]
    server_name: String,
}

fn localhost() -> String {
    "localhost".into()
}

impl Config {
    /// Reads the file and those it names; relative paths are relative to its directory.
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file: File = toml::from_str(&text(path)?)
            .with_context(|| format!("{} is not a gateway configuration", path.display()))?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let manifest_path = directory.join(&file.manifest);
        let manifest = Manifest::parse(&text(&manifest_path)?)
            .with_context(|| format!("federation manifest {}", manifest_path.display()))?;
        let tls = tls(directory, &file.tls)?;
        let programme = &manifest.scope.programme;
        if tls.identity.programme != *programme || !matches!(tls.identity.party, Party::Gateway(_))
        {
            bail!(
                "the certificate is {}'s; a gateway of programme {programme} needs one for \
                 spiffe://{programme}/gateway/<id>",
                tls.identity
            );
        }
        Ok(Self {
            listen: file.listen,
            data_dir: directory.join(file.data_dir),
            policy: directory.join(file.policy),
            adapters: adapters(file.adapters, &manifest)?,
            officers: file.officers,
            manifest,
            tls,
        })
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn tls(directory: &Path, file: &FileTls) -> anyhow::Result<Tls> {
    let read = |path: &Path| {
        let path = directory.join(path);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let revoked = file.revoked.as_deref().map(read).transpose()?;
    Tls::from_pem(&TlsPem {
        certificate: &read(&file.certificate)?,
        key: &read(&file.key)?,
        trust: &read(&file.trust)?,
        revoked: revoked.as_deref(),
    })
    .context("the files under [tls]")
}

fn adapters(files: Vec<FileAdapter>, manifest: &Manifest) -> anyhow::Result<Vec<Adapter>> {
    let mut adapters: Vec<Adapter> = vec![];
    for FileAdapter { agency, address, server_name } in files {
        if manifest.agency(&agency).is_none() {
            bail!("[[adapter]] {agency} is no agency of the federation manifest");
        }
        if adapters.iter().any(|other| other.agency == agency) {
            bail!("[[adapter]] {agency} occurs twice");
        }
        let identity = Identity {
            programme: manifest.scope.programme.clone(),
            party: Party::Agency(agency.clone()),
        };
        adapters.push(Adapter { agency, target: Target { address, server_name, identity } });
    }
    Ok(adapters)
}

//! gateway.toml and the files it names, read and checked before anything starts.
//!
//! The policy is not here: it changes while the gateway runs, and `policy_in_force` reads it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use proto::{
    hex_bytes::HexBytes,
    identity::{Identity, Party},
    manifest::Manifest,
    name::AgencyId,
    signed_manifest::SignedManifest,
    transport::Target,
};
use serde::Deserialize;

use crate::{
    accepted_manifest,
    authorise::Officer,
    notify::{self, target_file::FileTarget},
    regions::Regions,
    tls_in_force::{TlsFiles, TlsInForce},
};

/// Everything the gateway needs to start.
pub struct Config {
    /// Where staff connect.
    pub listen: SocketAddr,
    /// Holds sealed rows, alerts and policy history.
    pub data_dir: PathBuf,
    /// BLAKE3 of the configuration file.
    pub version: HexBytes<32>,
    /// The federation.
    pub manifest: Manifest,
    /// Where the next one is read from.
    pub manifest_path: PathBuf,
    /// The same as its holders signed it.
    pub signed: SignedManifest,
    /// The policy file.
    pub policy: PathBuf,
    /// Our certificate and whom we trust.
    pub tls: Arc<TlsInForce>,
    /// The adapters to dial.
    pub adapters: Vec<Adapter>,
    /// Who may call what.
    pub officers: Vec<Officer>,
    /// What regions are called, and which were merged.
    pub regions: Regions,
    /// Who is told that a case waits.
    pub targets: Vec<notify::target::Target>,
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
    regions: Option<PathBuf>,
    tls: TlsFiles,
    #[serde(rename = "adapter")]
    adapters: Vec<FileAdapter>,
    #[serde(rename = "officer", default)]
    officers: Vec<Officer>,
    #[serde(default)]
    notify: Vec<FileTarget>,
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
        let own = text(path)?;
        let file: File = toml::from_str(&own)
            .with_context(|| format!("{} is not a gateway configuration", path.display()))?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let manifest_path = directory.join(&file.manifest);
        let data_dir = directory.join(file.data_dir);
        let signed = accepted_manifest::read(&manifest_path, &data_dir)?;
        let manifest = signed.manifest().clone();
        let tls = TlsInForce::read(file.tls.within(directory), &manifest.scope.programme)?;
        let tls = Arc::new(tls);
        let regions = file.regions.map(|path| Regions::read(&directory.join(path))).transpose()?;
        Ok(Self {
            listen: file.listen,
            data_dir,
            signed,
            policy: directory.join(file.policy),
            adapters: adapters(file.adapters, &manifest)?,
            officers: file.officers,
            regions: regions.unwrap_or_default(),
            targets: notify::target::read(file.notify, directory)?,
            manifest,
            manifest_path,
            version: HexBytes(*blake3::hash(own.as_bytes()).as_bytes()),
            tls,
        })
    }
}

/// The data directory that a configuration names: all that is needed before there is a manifest.
///
/// # Errors
/// Names the file and what is wrong in it.
pub fn data_dir(path: &Path) -> anyhow::Result<PathBuf> {
    let file: File = toml::from_str(&text(path)?)
        .with_context(|| format!("{} is not a gateway configuration", path.display()))?;
    Ok(path.parent().unwrap_or(Path::new(".")).join(file.data_dir))
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
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

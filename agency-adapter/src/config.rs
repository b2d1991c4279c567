//! `adapter.toml`: what an agency's IT department decides.
//!
//! Owns its form and where its files are. What is in those files is checked by who reads them.

use std::{
    collections::BTreeSet,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::SignedDuration;
use proto::{
    name::{AgencyId, DatasetId},
    schema::DatasetSchema,
    tls::{Tls, TlsError, TlsPem},
};
use serde::Deserialize;

use crate::dataset_config::{self, DatasetConfig};

/// The configuration, checked; all paths are absolute or relative to the working directory, except
/// the datasets' own, which are relative to [`Config::directory`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the configuration file is.
    pub directory: PathBuf,
    /// This agency, as the federation manifest names it.
    pub agency: AgencyId,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Keys, salts, grants and the version store.
    pub state_dir: PathBuf,
    /// The federation manifest.
    pub manifest: PathBuf,
    /// How often the sources are read again.
    pub reload_every: Duration,
    /// The TLS files.
    pub tls: TlsFiles,
    /// What is published.
    pub datasets: Vec<DatasetConfig>,
}

/// Where the TLS files are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The own certificate and intermediates, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Authorities to trust, PEM.
    pub trust: PathBuf,
    /// Their revocation lists, PEM.
    pub revoked: Option<PathBuf>,
}

/// What is wrong with the configuration. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Not TOML, or not of the right form.
    #[error("{}: {problem}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("{}: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Which, and what to write instead.
        problem: String,
    },
    /// A `[[dataset]]` that cannot be used.
    #[error(transparent)]
    Dataset(#[from] dataset_config::ConfigError),
    /// The TLS files do not fit each other.
    #[error("[tls] {0}")]
    Tls(#[from] TlsError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    agency: AgencyId,
    listen: SocketAddr,
    state_dir: PathBuf,
    manifest: PathBuf,
    reload_every: SignedDuration,
    tls: TlsFiles,
    #[serde(rename = "dataset", default)]
    datasets: Vec<DatasetConfig>,
}

const SHORTEST_RELOAD: SignedDuration = SignedDuration::from_secs(1);

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ConfigError`], with line and column where the form is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = text(path)?;
        let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let file: File = toml::from_str(&text)
            .map_err(|error| ConfigError::Form { path: path.into(), problem: error.to_string() })?;
        file.check(path, directory)
    }

    /// A dataset of the configuration.
    pub fn dataset(&self, id: &DatasetId) -> Option<&DatasetConfig> {
        self.datasets.iter().find(|dataset| dataset.id == *id)
    }
}

impl File {
    fn check(self, path: &Path, directory: PathBuf) -> Result<Config, ConfigError> {
        let fault = |problem| ConfigError::Value { path: path.into(), problem };
        if self.reload_every < SHORTEST_RELOAD {
            let text = "reload_every must be at least one second, for example \"15m\"";
            return Err(fault(text.into()));
        }
        let mut seen = BTreeSet::new();
        for dataset in &self.datasets {
            let _: DatasetSchema = dataset.schema()?;
            if !seen.insert(&dataset.id) {
                return Err(fault(format!("dataset {} is there twice: remove one", dataset.id)));
            }
        }
        let tls = TlsFiles {
            certificate: directory.join(self.tls.certificate),
            key: directory.join(self.tls.key),
            trust: directory.join(self.tls.trust),
            revoked: self.tls.revoked.map(|revoked| directory.join(revoked)),
        };
        Ok(Config {
            agency: self.agency,
            listen: self.listen,
            state_dir: directory.join(self.state_dir),
            manifest: directory.join(self.manifest),
            reload_every: self.reload_every.unsigned_abs(),
            tls,
            datasets: self.datasets,
            directory,
        })
    }
}

impl TlsFiles {
    /// Reads the files and checks them against each other.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] or [`ConfigError::Tls`], naming the file.
    pub fn read(&self) -> Result<Tls, ConfigError> {
        let revoked = self.revoked.as_deref().map(contents).transpose()?;
        let key = zeroize::Zeroizing::new(contents(&self.key)?);
        Ok(Tls::from_pem(&TlsPem {
            certificate: &contents(&self.certificate)?,
            key: &key,
            trust: &contents(&self.trust)?,
            revoked: revoked.as_deref(),
        })?)
    }
}

pub(crate) fn text(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })
}

pub(crate) fn contents(path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
agency = "public_security"
listen = "127.0.0.1:0"
state_dir = "state"
manifest = "federation.toml"
reload_every = "15m"
[tls]
certificate = "tls/certificate.pem"
key = "tls/key.pem"
trust = "/etc/trust.pem"
"#;

    fn read(text: &str) -> (tempfile::TempDir, Result<Config, ConfigError>) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("adapter.toml");
        fs::write(&path, text).expect("written");
        let config = Config::read(&path);
        (directory, config)
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let (directory, config) = read(GOOD);
        let config = config.expect("good");
        assert_eq!(config.state_dir, directory.path().join("state"));
        assert_eq!(config.tls.trust, Path::new("/etc/trust.pem"));
        assert_eq!(config.reload_every, Duration::from_secs(900));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let problem = |text: &str| read(text).1.expect_err("refused").to_string();
        let text = problem(&GOOD.replace("listen", "listne"));
        assert!(text.contains("line 3") && text.contains("adapter.toml"), "{text}");
        let text = problem(&GOOD.replace("15m", "soon"));
        assert!(text.contains("line 6"), "{text}");
        let text = problem(&GOOD.replace("15m", "0s"));
        assert!(text.contains("at least one second"), "{text}");
    }
}

//! The configuration: where the gateway is, who it must be, and the officer's TLS files.
//!
//! Finds, reads and checks the file. The connection itself is `connection`'s.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proto::name::{AgencyId, ProgrammeId};
use serde::Deserialize;

use crate::failure::Failure;

/// A configuration file. Relative paths in it are relative to its directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `host:port` of the gateway.
    pub gateway: String,
    /// The name that its certificate must hold; the host in `gateway` where this is left out.
    server_name: Option<String>,
    /// The id that its certificate must hold.
    #[serde(default = "default_gateway_id")]
    pub gateway_id: AgencyId,
    /// The programme that both certificates must be for.
    pub programme: ProgrammeId,
    /// The officer's own certificate, and whom it trusts.
    pub tls: TlsFiles,
    /// The federation manifest, by whose keys the access log and disclosures are checked.
    pub manifest: Option<PathBuf>,
    /// Where the file is.
    #[serde(skip)]
    pub directory: PathBuf,
}

/// PEM files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate, followed by intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that issue the federation's certificates.
    pub trust: PathBuf,
    /// Their revocation lists.
    pub revoked: Option<PathBuf>,
}

fn default_gateway_id() -> AgencyId {
    "gateway".parse().expect("the default id is a name")
}

impl Config {
    /// Reads the file at `named`, or else the first that is there of `.config/gatewayctl.toml` in
    /// `home` and `ctl.toml` in the current directory.
    ///
    /// # Errors
    /// [`Failure`] with what to mend.
    pub fn find(named: Option<&Path>, home: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = named {
            return Self::read(path);
        }
        let looked: Vec<PathBuf> = home
            .map(|home| home.join(".config/gatewayctl.toml"))
            .into_iter()
            .chain([PathBuf::from("ctl.toml")])
            .collect();
        match looked.iter().find(|path| path.exists()) {
            Some(path) => Self::read(path),
            None => Err(Failure::NoConfig { looked }),
        }
    }

    /// Reads and checks one file.
    ///
    /// # Errors
    /// [`Failure::Config`].
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let faulty = |problem| Failure::Config { path: path.into(), problem };
        let text = fs::read_to_string(path).map_err(|error| faulty(error.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| faulty(error.to_string()))?;
        if split_address(&config.gateway).is_none() {
            let problem = "gateway must be host:port, e.g. \"gateway.example:7000\"";
            return Err(faulty(problem.into()));
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        config.tls.relative_to(directory);
        config.directory = directory.to_owned();
        config.manifest = config.manifest.map(|manifest| directory.join(manifest));
        Ok(config)
    }

    /// The DNS name or IP address that the gateway's certificate must hold.
    pub fn server_name(&self) -> &str {
        match &self.server_name {
            Some(name) => name,
            None => split_address(&self.gateway).map_or("", |(host, _)| host),
        }
    }
}

impl TlsFiles {
    fn relative_to(&mut self, directory: &Path) {
        let files = [&mut self.certificate, &mut self.key, &mut self.trust];
        for file in files.into_iter().chain(self.revoked.as_mut()) {
            *file = directory.join(&*file);
        }
    }
}

fn split_address(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    port.parse().ok().filter(|_| !host.is_empty()).map(|port| (host, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Lang;

    const GOOD: &str = r#"
gateway = "gateway.example:7000"
programme = "nanjing-assistance"
[tls]
certificate = "tls/certificate.pem"
key = "/etc/gatewayctl/key.pem"
trust = "tls/trust.pem"
"#;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ctl.toml");
        fs::write(&path, text).expect("the file is written");
        (directory, path)
    }

    #[test]
    fn paths_are_relative_to_the_file_and_names_have_defaults() {
        let (directory, path) = written(GOOD);
        let config = Config::read(&path).expect("the sample checks");
        assert_eq!(config.tls.certificate, directory.path().join("tls/certificate.pem"));
        assert_eq!(config.tls.key, Path::new("/etc/gatewayctl/key.pem"));
        assert_eq!(config.server_name(), "gateway.example");
        assert_eq!(config.gateway_id.as_str(), "gateway");
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let (_directory, path) = written(&GOOD.replace("programme", "program"));
        let failure = Config::read(&path).expect_err("the key does not exist");
        assert!(failure.tell(Lang::En).contains("line 3"), "{}", failure.tell(Lang::En));
        assert_eq!(failure.exit_code(), 3);
    }

    #[test]
    fn an_address_without_a_port_is_refused() {
        for bad in ["gateway.example", "gateway.example:port", ":7000"] {
            let (_directory, path) = written(&GOOD.replace("gateway.example:7000", bad));
            assert!(Config::read(&path).is_err(), "{bad}");
        }
        assert_eq!(split_address("[::1]:7000"), Some(("::1", 7000)));
    }

    #[test]
    fn without_a_file_the_places_looked_at_are_told() {
        let empty = tempfile::tempdir().expect("a temporary directory");
        let failure = Config::find(None, Some(empty.path())).expect_err("there is none");
        assert!(failure.tell(Lang::Zh).contains("gatewayctl.toml, ctl.toml"));
        let named = Config::find(Some(Path::new("absent.toml")), None).expect_err("there is none");
        assert!(matches!(named, Failure::Config { .. }));
    }

    #[test]
    fn the_file_in_the_home_directory_is_found() {
        let home = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(home.path().join(".config")).expect("a directory");
        fs::write(home.path().join(".config/gatewayctl.toml"), GOOD).expect("the file is written");
        assert!(Config::find(None, Some(home.path())).is_ok());
    }
}

//! The federation manifest that was accepted last, and how a newer one takes its place without a
//! restart.
//!
//! One that is not accepted (`accepted_manifest`) is refused and the old one stays. What follows from
//! another is `epoch_change`'s business.

use std::path::{Path, PathBuf};

use anyhow::bail;
use proto::{act::Act, entry::Actor, hex_bytes::HexBytes, manifest::Manifest};
use tokio::sync::watch;

use crate::{accepted_manifest, audit::recorder::Recorder};

/// The manifest and where to read the next.
pub struct ManifestInForce {
    path: PathBuf,
    data_dir: PathBuf,
    current: watch::Sender<Manifest>,
}

impl ManifestInForce {
    /// The one that was read with the configuration.
    pub fn new(path: &Path, data_dir: &Path, manifest: Manifest) -> Self {
        let current = watch::channel(manifest).0;
        Self { path: path.to_owned(), data_dir: data_dir.to_owned(), current }
    }

    /// Reads the file again. Another manifest is logged before it is in force.
    ///
    /// # Errors
    /// Names the file and what is wrong with it; then the old manifest stays.
    pub async fn reload(&self, recorder: &Recorder, by: &Actor) -> anyhow::Result<Manifest> {
        let signed = accepted_manifest::read(&self.path, &self.data_dir)?;
        let manifest = signed.manifest().clone();
        let (old, new) = (self.current().scope, &manifest.scope);
        if (&old.programme, old.suite) != (&new.programme, new.suite) {
            bail!("{} is for {new}, and this gateway is in {old}", self.path.display());
        }
        if self.current() != manifest {
            let (digest, manifest_version) = (HexBytes(signed.fingerprint()), manifest.version);
            let accepted = Act::ManifestAccepted { manifest: digest, manifest_version };
            recorder.record(by, accepted).await?;
        }
        accepted_manifest::remember(&signed, &self.data_dir)?;
        self.current.send_if_modified(|current| {
            let other = *current != manifest;
            current.clone_from(&manifest);
            other
        });
        Ok(manifest)
    }

    /// The manifest now.
    pub fn current(&self) -> Manifest {
        self.current.borrow().clone()
    }

    /// Tells when another was accepted.
    pub fn subscribe(&self) -> watch::Receiver<Manifest> {
        self.current.subscribe()
    }
}

//! The federation manifest that was accepted last, and how a newer one takes its place without a
//! restart.
//!
//! One that does not check is refused and the old one stays. What follows from another is
//! `epoch_change`'s business.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use proto::manifest::Manifest;
use tokio::sync::watch;

/// The manifest and where to read the next.
pub struct ManifestInForce {
    path: PathBuf,
    current: watch::Sender<Manifest>,
}

impl ManifestInForce {
    /// The one that was read with the configuration.
    pub fn new(path: &Path, manifest: Manifest) -> Self {
        Self { path: path.to_owned(), current: watch::channel(manifest).0 }
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// Names the file and what is wrong with it; then the old manifest stays.
    pub fn reload(&self) -> anyhow::Result<Manifest> {
        let manifest = read(&self.path)?;
        let (old, new) = (self.current().scope, &manifest.scope);
        if (&old.programme, old.suite) != (&new.programme, new.suite) {
            bail!("{} is for {new}, and this gateway is in {old}", self.path.display());
        }
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

fn read(path: &Path) -> anyhow::Result<Manifest> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Manifest::parse(&text).with_context(|| format!("federation manifest {}", path.display()))
}

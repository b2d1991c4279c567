//! A federation's epochs: manifests that list others, and which of them is looked at.

use anyhow::Context;
use jiff::civil::Date;
use proto::{manifest::Epoch, scope::Suite};

use crate::{
    deployment::Deployment,
    federation::{give_share_keys, publish},
};

impl Deployment {
    /// Gives everybody a newer manifest that lists these epochs, each with its last day.
    ///
    /// # Errors
    /// The file system's, or epochs that do not follow each other.
    pub fn list_epochs(&mut self, epochs: &[(u32, Date)]) -> anyhow::Result<()> {
        let epoch = |&(number, until): &(u32, Date)| Epoch { number, until, share_keys: vec![] };
        self.issued.version += 1;
        self.issued.epochs = epochs.iter().map(epoch).collect();
        if self.issued.suite == Suite::Oprf {
            give_share_keys(&self.dir, &mut self.issued)?;
        }
        publish(&self.dir, &self.issued)?;
        let manifest = self.issued.clone().check()?;
        self.manifest = manifest.in_epoch(self.manifest.scope.epoch).unwrap_or(manifest);
        Ok(())
    }

    /// From now on subjects and secrets are asked for in this epoch.
    ///
    /// # Errors
    /// Where the manifest does not list it.
    pub fn enter(&mut self, epoch: u32) -> anyhow::Result<()> {
        self.manifest = self.manifest.in_epoch(epoch).context("an epoch of the manifest")?;
        Ok(())
    }
}

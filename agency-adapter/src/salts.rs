//! The salts of the datasets this agency owns: one file for each dataset and epoch.
//!
//! Salts of other agencies' datasets come by grant (`grants`).

use std::path::{Path, PathBuf};

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
    salt::Salt,
};

use crate::secret_file::{self, SecretFileError};

/// The own salts of one epoch.
#[derive(Debug, Clone)]
pub struct OwnSalts {
    directory: PathBuf,
}

impl OwnSalts {
    /// Where they are kept.
    pub fn new(state_dir: &Path, epoch: u32) -> Self {
        Self { directory: state_dir.join("salts").join(epoch.to_string()) }
    }

    /// Makes the salt of every dataset that has none; says which. A salt is never replaced: all
    /// that was derived with it would be lost.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn create<'d>(
        &self,
        datasets: impl Iterator<Item = &'d DatasetId>,
    ) -> Result<Vec<DatasetId>, SecretFileError> {
        let mut made = vec![];
        for dataset in datasets {
            if secret_file::create(&self.file(dataset))? {
                made.push(dataset.clone());
            }
        }
        Ok(made)
    }

    /// A dataset's salt, if it was made.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn read(&self, dataset: &DatasetId) -> Result<Option<Salt>, SecretFileError> {
        Ok(secret_file::read(&self.file(dataset))?.map(|bytes| Salt::from_bytes(*bytes)))
    }

    fn file(&self, dataset: &DatasetId) -> PathBuf {
        self.directory.join(format!("{dataset}.salt"))
    }
}

/// The datasets that the manifest gives to `agency`, `base` among them where it owns that.
pub fn owned<'m>(
    manifest: &'m Manifest,
    agency: &'m AgencyId,
) -> impl Iterator<Item = &'m DatasetId> {
    manifest.datasets().filter(move |(_, dataset)| dataset.owner == *agency).map(|(id, _)| id)
}

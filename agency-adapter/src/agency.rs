//! Who this adapter is: the manifest, the own keys, and every salt it may use.
//!
//! Everything is read again at each reload, so that a new manifest, salt or grant needs no restart.

use std::collections::BTreeMap;

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
    salt::Salt,
    schema::DatasetKind,
};

use crate::{
    accepted_manifest::{self, AcceptedManifestError},
    clock::Clock,
    config::Config,
    grants::{Grants, GrantsError},
    keys::{Keys, KeysError, PublicKeys},
    oprf::ShareKeysError,
    pinned_holders::PinnedHolders,
    salts::{OwnSalts, owned},
    secret_file::SecretFileError,
};

/// This agency, ready to derive and to grant.
pub struct Agency {
    /// Its name in the manifest.
    pub id: AgencyId,
    /// The federation.
    pub manifest: Manifest,
    /// Who evaluates roots; nobody with a suite that computes them.
    pub key_holders: Option<PinnedHolders>,
    /// Its private keys.
    pub keys: Keys,
    /// The salts it made.
    pub own_salts: OwnSalts,
    /// The grants it issued and accepted.
    pub grants: Grants,
}

/// Why the adapter cannot act for its agency. Each says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum AgencyError {
    /// There is no manifest to go by.
    #[error(transparent)]
    Manifest(#[from] AcceptedManifestError),
    /// Keys are missing or unusable.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Not listed.
    #[error(
        "the federation manifest does not list agency {0}: send the output of `agency-adapter \
         public-keys` to whoever issues the manifest"
    )]
    NotListed(AgencyId),
    /// Listed with other keys.
    #[error(
        "the federation manifest has another {field} for {agency} than the state directory: restore \
         the right state directory, or have the manifest issued with the output of `agency-adapter \
         public-keys`"
    )]
    OtherKeys {
        /// This agency.
        agency: AgencyId,
        /// Which key.
        field: &'static str,
    },
    /// The operating system.
    #[error(transparent)]
    System(#[from] SecretFileError),
    /// Not an epoch of the manifest, or no longer.
    #[error("the federation manifest does not list epoch {0}")]
    Epoch(u32),
    /// The share keys of suite `oprf` do not belong to one key.
    #[error("the federation manifest is not usable: {0}")]
    ShareKeys(#[from] ShareKeysError),
    /// A configured dataset that the manifest gives to somebody else, or not at all.
    #[error("dataset {dataset}: {problem}")]
    Dataset {
        /// The dataset.
        dataset: DatasetId,
        /// What the manifest says instead.
        problem: String,
    },
}

/// Every salt that can be used now, and why others cannot.
#[derive(Debug, Default)]
pub struct HeldSalts {
    salts: BTreeMap<DatasetId, Salt>,
    problems: BTreeMap<DatasetId, String>,
}

impl Agency {
    /// In the manifest's first epoch: reads manifest, keys and state, checks them against the
    /// configuration, and keeps the manifest as the last one accepted.
    ///
    /// # Errors
    /// [`AgencyError`].
    pub fn open(config: &Config) -> Result<Self, AgencyError> {
        let signed = accepted_manifest::read(config)?;
        let agency = Self::of(config, signed.manifest().clone())?;
        accepted_manifest::remember(&signed, &config.state_dir)?;
        Ok(agency)
    }

    /// The same in another of the manifest's epochs.
    ///
    /// # Errors
    /// [`AgencyError`].
    pub fn open_in(config: &Config, epoch: u32) -> Result<Self, AgencyError> {
        let signed = accepted_manifest::read(config)?;
        let manifest = signed.manifest().in_epoch(epoch).ok_or(AgencyError::Epoch(epoch))?;
        let agency = Self::of(config, manifest)?;
        accepted_manifest::remember(&signed, &config.state_dir)?;
        Ok(agency)
    }

    /// The same in every epoch that is not over, the present one first.
    ///
    /// # Errors
    /// [`AgencyError`].
    pub fn open_live(config: &Config, clock: &Clock) -> Result<Vec<Self>, AgencyError> {
        let signed = accepted_manifest::read(config)?;
        let manifests = signed.manifest().in_live_epochs(clock.now()).into_iter();
        let agencies = manifests.map(|manifest| Self::of(config, manifest));
        let agencies = agencies.collect::<Result<_, _>>()?;
        accepted_manifest::remember(&signed, &config.state_dir)?;
        Ok(agencies)
    }

    /// With a manifest that was read already; nothing is written.
    ///
    /// # Errors
    /// [`AgencyError`].
    pub fn of(config: &Config, manifest: Manifest) -> Result<Self, AgencyError> {
        let keys = Keys::read(&config.state_dir)?;
        check_keys(&manifest, &config.agency, &keys.public())?;
        check_datasets(&manifest, config)?;
        Ok(Self {
            id: config.agency.clone(),
            key_holders: PinnedHolders::new(&manifest)?,
            own_salts: OwnSalts::new(&config.state_dir, manifest.scope.epoch),
            grants: Grants::new(&config.state_dir, &config.agency, &manifest.scope),
            manifest,
            keys,
        })
    }

    /// Reads every salt of the manifest's datasets that this agency owns or was granted.
    pub fn held_salts(&self) -> HeldSalts {
        let mut held = HeldSalts::default();
        for (dataset, known) in self.manifest.datasets() {
            match self.salt(dataset) {
                Ok(Some(salt)) => drop(held.salts.insert(dataset.clone(), salt)),
                Ok(None) if known.owner == self.id => {
                    let problem =
                        format!("its own salt is missing: run `agency-adapter init` ({dataset})");
                    held.problems.insert(dataset.clone(), problem);
                }
                Ok(None) => {
                    let owner = &known.owner;
                    let problem = format!(
                        "{dataset} is not granted: ask {owner} to run `agency-adapter grant {dataset} --to {}`",
                        self.id
                    );
                    held.problems.insert(dataset.clone(), problem);
                }
                Err(error) => drop(held.problems.insert(dataset.clone(), error.to_string())),
            }
        }
        held
    }

    /// A dataset's salt, own or granted.
    fn salt(&self, dataset: &DatasetId) -> Result<Option<Salt>, GrantsError> {
        let own = owned(&self.manifest, &self.id).any(|own| own == dataset);
        if own {
            let salt: Result<_, SecretFileError> = self.own_salts.read(dataset);
            Ok(salt?)
        } else {
            self.grants.salt((&self.manifest, &self.keys), dataset)
        }
    }
}

impl HeldSalts {
    /// A usable salt.
    pub fn get(&self, dataset: &DatasetId) -> Option<&Salt> {
        self.salts.get(dataset)
    }

    /// Why a dataset's salt is not usable, and who can mend that.
    pub fn problem(&self, dataset: &DatasetId) -> Option<&str> {
        self.problems.get(dataset).map(String::as_str)
    }

    /// The salts of all of `datasets`, in their order.
    ///
    /// # Errors
    /// Everything that is missing, from whom.
    pub fn all(&self, datasets: &[DatasetId]) -> Result<Vec<Salt>, String> {
        let salts: Vec<Salt> = datasets.iter().filter_map(|d| self.get(d)).cloned().collect();
        if salts.len() == datasets.len() {
            return Ok(salts);
        }
        let unknown = "is not a dataset of the federation manifest";
        let missing = datasets.iter().filter(|dataset| self.get(dataset).is_none());
        let problems: Vec<String> = missing
            .map(|d| self.problem(d).map_or_else(|| format!("{d} {unknown}"), str::to_owned))
            .collect();
        Err(problems.join("; "))
    }
}

/// The configured manifest, which may be gone by. Nothing is written.
///
/// # Errors
/// [`AgencyError::Manifest`].
pub fn read_manifest(config: &Config) -> Result<Manifest, AgencyError> {
    Ok(accepted_manifest::read(config)?.manifest().clone())
}

/// Compares the manifest's keys for `agency` with the own ones.
///
/// # Errors
/// [`AgencyError::NotListed`] or [`AgencyError::OtherKeys`].
pub fn check_keys(
    manifest: &Manifest,
    agency: &AgencyId,
    keys: &PublicKeys,
) -> Result<(), AgencyError> {
    let listed = manifest.agency(agency).ok_or_else(|| AgencyError::NotListed(agency.clone()))?;
    let other = |field| AgencyError::OtherKeys { agency: agency.clone(), field };
    if listed.signing_key != keys.signing {
        return Err(other("signing_key"));
    }
    if listed.hpke_key.to_bytes() != keys.hpke {
        return Err(other("hpke_key"));
    }
    if listed.witness_key != keys.witness {
        return Err(other("witness_key"));
    }
    Ok(())
}

/// Every configured dataset must be this agency's, and of the same kind.
///
/// # Errors
/// [`AgencyError::Dataset`] for the first that is not.
pub fn check_datasets(manifest: &Manifest, config: &Config) -> Result<(), AgencyError> {
    for dataset in &config.datasets {
        let fault = |problem| AgencyError::Dataset { dataset: dataset.id.clone(), problem };
        let known = manifest.dataset(&dataset.id).ok_or_else(|| {
            fault("the federation manifest does not list it: remove it or have it added".into())
        })?;
        if known.owner != config.agency {
            return Err(fault(format!("the federation manifest gives it to {}", known.owner)));
        }
        if known.kind != Some(dataset.kind) {
            return Err(fault(format!(
                "the federation manifest says kind {}",
                kind_of(known.kind)
            )));
        }
        for member in dataset.household.iter().flat_map(|household| &household.datasets) {
            let kind = manifest.dataset(member).and_then(|known| known.kind);
            if kind != Some(DatasetKind::CrossCheck) {
                let text = "which is not a cross-check dataset of the federation manifest";
                return Err(fault(format!("its household names {member}, {text}")));
            }
        }
    }
    Ok(())
}

fn kind_of(kind: Option<DatasetKind>) -> &'static str {
    match kind {
        None => "base",
        Some(DatasetKind::Watch) => "watch",
        Some(DatasetKind::CrossCheck) => "cross_check",
    }
}

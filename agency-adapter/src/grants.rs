//! Salt grants: those this agency issued as an owner, and those it accepted as a grantee.
//!
//! A grant is kept as a small TOML file, so that people can see whom a dataset was granted to; the
//! salt in it stays encrypted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
    salt::{GrantError, Salt, SaltGrant},
    scope::Scope,
    wire,
};

use crate::{
    grant_file::GrantFile,
    keys::Keys,
    salts::OwnSalts,
    secret_file::{self, SecretFileError},
};

/// The grants of one agency in one epoch.
#[derive(Debug, Clone)]
pub struct Grants {
    directory: PathBuf,
    agency: AgencyId,
    scope: Scope,
}

/// Why a grant was not issued, not accepted, or is not used.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// Only an owner grants.
    #[error(
        "{dataset} is not a dataset of {agency} in the federation manifest: only its owner can grant it"
    )]
    NotOwned {
        /// The dataset.
        dataset: DatasetId,
        /// This agency.
        agency: AgencyId,
    },
    /// Nobody of that name.
    #[error(
        "{0} is not an agency of the federation manifest: check the spelling, or have it added"
    )]
    UnknownAgency(AgencyId),
    /// An owner does not grant to itself.
    #[error("{0} is this agency itself, which needs no grant for its own dataset")]
    OwnAgency(AgencyId),
    /// The salt was never made.
    #[error("the salt of {0} is missing: run `agency-adapter init`")]
    NoSalt(DatasetId),
    /// Of another programme, epoch or suite.
    #[error("the grant is for another programme, epoch or suite than the federation manifest's")]
    Scope,
    /// For somebody else.
    #[error("the grant is for {grantee} and this is {agency}")]
    Grantee {
        /// Its grantee.
        grantee: AgencyId,
        /// This agency.
        agency: AgencyId,
    },
    /// Not the owner that the manifest names.
    #[error("the federation manifest does not name {owner} as the owner of {dataset}")]
    Owner {
        /// The dataset.
        dataset: DatasetId,
        /// Who the grant says owns it.
        owner: AgencyId,
    },
    /// Signature or encryption.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A file.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// A file that does not hold a grant.
    #[error("{} does not hold a grant: {problem}; delete it and have the grant made again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        problem: String,
    },
}

impl Grants {
    /// Where an agency's grants are kept.
    pub fn new(state_dir: &Path, agency: &AgencyId, scope: &Scope) -> Self {
        let directory = state_dir.join("grants").join(scope.epoch.to_string());
        Self { directory, agency: agency.clone(), scope: scope.clone() }
    }

    /// Grants `dataset` to `grantee` and keeps the grant for the gateway to carry. Granting again
    /// replaces the grant, for a grantee that has a new key.
    ///
    /// # Errors
    /// [`GrantsError`].
    pub fn issue(
        &self,
        (manifest, keys, salts): (&Manifest, &Keys, &OwnSalts),
        dataset: &DatasetId,
        grantee: &AgencyId,
    ) -> Result<PathBuf, GrantsError> {
        if manifest.dataset(dataset).is_none_or(|known| known.owner != self.agency) {
            let (dataset, agency) = (dataset.clone(), self.agency.clone());
            return Err(GrantsError::NotOwned { dataset, agency });
        }
        if *grantee == self.agency {
            return Err(GrantsError::OwnAgency(grantee.clone()));
        }
        let agency =
            manifest.agency(grantee).ok_or_else(|| GrantsError::UnknownAgency(grantee.clone()))?;
        let salt = salts.read(dataset)?.ok_or_else(|| GrantsError::NoSalt(dataset.clone()))?;
        let grant = SaltGrant::issue(
            &salt,
            (&self.scope, dataset),
            (&self.agency, &keys.signing),
            (grantee, &agency.hpke_key),
        )?;
        let path = self.directory.join("issued").join(format!("{dataset}.{grantee}.grant"));
        secret_file::replace(&path, GrantFile::from(&grant).to_text().as_bytes())?;
        Ok(path)
    }

    /// Checks a delivered grant against the manifest and keeps it. `true` where its salt was not
    /// held before, so that more can now be published.
    ///
    /// # Errors
    /// [`GrantsError`]; nothing was kept then.
    pub fn accept(
        &self,
        (manifest, keys): (&Manifest, &Keys),
        grant: &SaltGrant,
    ) -> Result<bool, GrantsError> {
        let salt = self.open((manifest, keys), grant)?;
        let path = self.accepted_file(&grant.dataset);
        let held = match read_file(&path) {
            Ok(held) => held.and_then(|held| self.open((manifest, keys), &held).ok()),
            // Whatever was there, the new grant is good.
            Err(_) => None,
        };
        if held.as_ref() == Some(&salt) {
            return Ok(false);
        }
        secret_file::replace(&path, GrantFile::from(grant).to_text().as_bytes())?;
        Ok(true)
    }

    /// The salt that was granted for `dataset`, if its grant was accepted and is still good under
    /// the present manifest.
    ///
    /// # Errors
    /// [`GrantsError`] for a grant that is there and is not good.
    pub fn salt(
        &self,
        context: (&Manifest, &Keys),
        dataset: &DatasetId,
    ) -> Result<Option<Salt>, GrantsError> {
        let Some(grant) = read_file(&self.accepted_file(dataset))? else { return Ok(None) };
        self.open(context, &grant).map(Some)
    }

    /// Every grant this agency issued in the epoch, ordered by file name, or why a file does not
    /// hold one.
    ///
    /// # Errors
    /// [`GrantsError::File`] where the files cannot be listed.
    pub fn issued(&self) -> Result<Vec<Result<SaltGrant, GrantsError>>, GrantsError> {
        let paths = self.issued_files()?;
        Ok(paths.iter().filter_map(|path| read_file(path).transpose()).collect())
    }

    fn issued_files(&self) -> Result<Vec<PathBuf>, GrantsError> {
        let directory = self.directory.join("issued");
        let fault = |source| SecretFileError::Io { path: directory.clone(), source };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(fault(error).into()),
        };
        let mut paths = vec![];
        for entry in entries {
            let path = entry.map_err(fault)?.path();
            if path.extension().is_some_and(|extension| extension == "grant") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Whether a grant of `dataset` was issued in the epoch, as far as the files' names tell.
    ///
    /// # Errors
    /// [`GrantsError::File`] where the files cannot be listed.
    pub fn has_issued(&self, dataset: &DatasetId) -> Result<bool, GrantsError> {
        let prefix = format!("{dataset}.");
        let names = self.issued_files()?.into_iter();
        let mut names = names.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.any(|name| name.starts_with(&prefix)))
    }

    fn open(
        &self,
        (manifest, keys): (&Manifest, &Keys),
        grant: &SaltGrant,
    ) -> Result<Salt, GrantsError> {
        if grant.scope != self.scope {
            return Err(GrantsError::Scope);
        }
        if grant.grantee != self.agency {
            let (grantee, agency) = (grant.grantee.clone(), self.agency.clone());
            return Err(GrantsError::Grantee { grantee, agency });
        }
        let owner = manifest
            .dataset(&grant.dataset)
            .filter(|dataset| dataset.owner == grant.owner && dataset.owner != self.agency)
            .and_then(|dataset| manifest.agency(&dataset.owner));
        let owner = owner.ok_or_else(|| GrantsError::Owner {
            dataset: grant.dataset.clone(),
            owner: grant.owner.clone(),
        })?;
        Ok(grant.open(&owner.signing_key, &keys.hpke)?)
    }

    fn accepted_file(&self, dataset: &DatasetId) -> PathBuf {
        self.directory.join("accepted").join(format!("{dataset}.grant"))
    }
}

fn read_file(path: &Path) -> Result<Option<SaltGrant>, GrantsError> {
    let content = |problem: String| GrantsError::Content { path: path.into(), problem };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SecretFileError::Io { path: path.into(), source }.into()),
    };
    let file = GrantFile::parse(&text).map_err(content)?;
    let grant = wire::SaltGrant::try_from(file).map_err(content)?;
    SaltGrant::try_from(grant).map(Some).map_err(|error| content(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proto::manifest_file::EntryKind;

    use super::*;
    use crate::fixture;

    struct Party {
        keys: Keys,
        grants: Grants,
        salts: OwnSalts,
        _directory: tempfile::TempDir,
    }

    fn party(name: &str, epoch: u32) -> Party {
        let directory = tempfile::tempdir().expect("a directory");
        let (keys, _) = Keys::create(directory.path()).expect("made");
        let programme = "demo".parse().expect("a name");
        let scope = Scope { programme, epoch, suite: proto::scope::Suite::SaltedHash };
        let grants = Grants::new(directory.path(), &name.parse().expect("a name"), &scope);
        let salts = OwnSalts::new(directory.path(), epoch);
        Party { keys, grants, salts, _directory: directory }
    }

    fn manifest(parties: [(&str, &Party); 2]) -> Manifest {
        let keys = parties.map(|(id, party)| (id, party.keys.public()));
        let datasets =
            [("base", "aid", EntryKind::Base), ("cars", "police", EntryKind::CrossCheck)];
        fixture::manifest(&keys, &datasets).check().expect("good")
    }

    fn cars() -> DatasetId {
        "cars".parse().expect("a name")
    }

    #[test]
    fn a_granted_salt_reaches_the_grantee_and_stays() {
        let (police, aid) = (party("police", 1), party("aid", 1));
        let manifest = manifest([("police", &police), ("aid", &aid)]);
        police.salts.create([&cars()].into_iter()).expect("made");
        let context = (&manifest, &police.keys, &police.salts);
        let to = "aid".parse().expect("a name");
        police.grants.issue(context, &cars(), &to).expect("issued");

        let mut issued = police.grants.issued().expect("listed");
        let grant = issued.pop().expect("one").expect("readable");
        assert!(issued.is_empty());
        assert!(aid.grants.accept((&manifest, &aid.keys), &grant).expect("good"), "new");
        assert!(!aid.grants.accept((&manifest, &aid.keys), &grant).expect("good"), "known");
        let salt = aid.grants.salt((&manifest, &aid.keys), &cars()).expect("good");
        assert_eq!(salt, police.salts.read(&cars()).expect("readable"));
        assert!(salt.is_some());
    }

    #[test]
    fn a_grant_of_somebody_who_does_not_own_the_dataset_is_refused() {
        let (police, aid) = (party("police", 1), party("aid", 1));
        let manifest = manifest([("police", &police), ("aid", &aid)]);
        let context = (&manifest, &aid.keys, &aid.salts);
        let refused = aid.grants.issue(context, &cars(), &"police".parse().expect("a name"));
        assert!(matches!(refused, Err(GrantsError::NotOwned { .. })));

        let scope = manifest.scope.clone();
        let (owner, grantee) = ("police".parse().expect("name"), "aid".parse().expect("name"));
        let salt = Salt::from_bytes([1; 32]);
        let forged = SaltGrant::issue(
            &salt,
            (&scope, &cars()),
            (&owner, &aid.keys.signing),
            (&grantee, &aid.keys.hpke.public()),
        )
        .expect("encrypted");
        let refused = aid.grants.accept((&manifest, &aid.keys), &forged);
        assert!(matches!(refused, Err(GrantsError::Grant(GrantError::Signature))));
        let mut claimed = forged.clone();
        claimed.owner = grantee.clone();
        let refused = aid.grants.accept((&manifest, &aid.keys), &claimed);
        assert!(matches!(refused, Err(GrantsError::Owner { .. })));
        let mut elsewhere = forged.clone();
        elsewhere.grantee = owner;
        let refused = aid.grants.accept((&manifest, &aid.keys), &elsewhere);
        assert!(matches!(refused, Err(GrantsError::Grantee { .. })));
        let mut later = forged;
        later.scope = Scope { epoch: 2, ..scope };
        let refused = aid.grants.accept((&manifest, &aid.keys), &later);
        assert!(matches!(refused, Err(GrantsError::Scope)));
        assert_eq!(aid.grants.salt((&manifest, &aid.keys), &cars()).expect("no fault"), None);
    }
}

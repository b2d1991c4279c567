//! Renewal: what this agency granted in the present epoch, granted in the next one. A grant is
//! revoked by leaving it out (PROTOCOL.md section 16.2).

use std::{path::PathBuf, str::FromStr};

use proto::name::{AgencyId, DatasetId};

use crate::{
    agency::{Agency, AgencyError},
    clock::Clock,
    config::Config,
    grants::GrantsError,
};

/// A grant that ends: `DATASET:AGENCY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whose salt it holds.
    pub dataset: DatasetId,
    /// Who shall no longer have it.
    pub grantee: AgencyId,
}

/// Why nothing was renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// Manifest, keys or state.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// A grant.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// There is nothing to renew for.
    #[error("the federation manifest lists no next epoch: grants are renewed once it does")]
    NoNextEpoch,
    /// A misspelt exception would renew what was to end.
    #[error(
        "--except {0}: no such grant was issued in the present epoch, and nothing was renewed: check \
         the spelling"
    )]
    NotGranted(Ending),
    /// Too late: the grantee has the salt, or will be given it.
    #[error(
        "--except {0}: it was granted in the next epoch already, and cannot be called back in it: it \
         ends with the epoch after that"
    )]
    GrantedAlready(Ending),
}

impl FromStr for Ending {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (dataset, grantee) = text.split_once(':')?;
            Some(Self { dataset: dataset.parse().ok()?, grantee: grantee.parse().ok()? })
        };
        parse().ok_or("a grant is written DATASET:AGENCY")
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.dataset, self.grantee)
    }
}

/// Issues in the next epoch every grant of the present one but those that end; the files written.
/// Agencies that the manifest no longer lists are left out.
///
/// # Errors
/// [`RenewalError`]; the grants before the one that failed stay.
pub fn renew(
    config: &Config,
    clock: &Clock,
    except: &[Ending],
) -> Result<Vec<PathBuf>, RenewalError> {
    let agencies = Agency::open_live(config, clock)?;
    let [present, next] = agencies.as_slice() else { return Err(RenewalError::NoNextEpoch) };
    let (issued, ahead) = (granted(present)?, granted(next)?);
    for ending in except {
        if !issued.contains(ending) {
            return Err(RenewalError::NotGranted(ending.clone()));
        }
        if ahead.contains(ending) {
            return Err(RenewalError::GrantedAlready(ending.clone()));
        }
    }
    let context = (&next.manifest, &next.keys, &next.own_salts);
    let stays =
        |grant: &&Ending| !except.contains(grant) && next.manifest.agency(&grant.grantee).is_some();
    let issue = |grant: &Ending| Ok(next.grants.issue(context, &grant.dataset, &grant.grantee)?);
    issued.iter().filter(stays).map(issue).collect()
}

fn granted(agency: &Agency) -> Result<Vec<Ending>, GrantsError> {
    let grants = agency.grants.issued()?.into_iter();
    grants
        .map(|grant| grant.map(|grant| Ending { dataset: grant.dataset, grantee: grant.grantee }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixture, lang::Lang, setup};

    fn ending(text: &str) -> Ending {
        text.parse().expect("a grant")
    }

    #[test]
    fn a_grant_is_renewed_unless_it_is_named_and_a_misspelt_one_renews_nothing() {
        let (_directory, _people, config, clock) = fixture::agency();
        let to = ["police", "tax"].map(|id| id.parse().expect("a name"));
        setup::grant(&config, &clock, &fixture::name("residents"), &to).expect("granted");
        let alone = renew(&config, &clock, &[]);
        assert!(matches!(alone, Err(RenewalError::NoNextEpoch)));

        fixture::list_epochs(&config, &[1, 2]);
        setup::init(&config, &clock, Lang::En).expect("salts of the next epoch");
        let ahead = || granted(&Agency::open_in(&config, 2).expect("good")).expect("listed");
        let misspelt = renew(&config, &clock, &[ending("residents:polise")]);
        assert!(matches!(misspelt, Err(RenewalError::NotGranted(_))));
        assert!(ahead().is_empty());
        let written = renew(&config, &clock, &[ending("residents:police")]).expect("renewed");
        assert_eq!(written.len(), 1);
        assert_eq!(ahead(), [ending("residents:tax")]);
        let late = renew(&config, &clock, &[ending("residents:tax")]);
        assert!(matches!(late, Err(RenewalError::GrantedAlready(_))));
        assert!("residents".parse::<Ending>().is_err());
    }
}

//! Salt grants on their way from a dataset's owner to its grantee.
//!
//! The gateway checks whose signature a grant bears and carries it; it cannot open one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
    salt::SaltGrant,
    wire,
};
use tokio::sync::watch;

type Key = (DatasetId, AgencyId);

/// All grants that owners showed, by dataset and grantee.
pub struct Grants {
    carried: Mutex<BTreeMap<Key, Carried>>,
    /// By the agency that showed them.
    refused: Mutex<BTreeMap<AgencyId, Vec<GrantLine>>>,
    changed: watch::Sender<u64>,
}

/// One grant on its way, as its owner issued it.
struct Carried {
    grant: SaltGrant,
    /// The grantee's words, where it would not use it.
    problem: String,
}

/// One grant for people to read.
#[derive(Clone)]
pub struct GrantLine {
    /// The dataset whose salt it holds.
    pub dataset: DatasetId,
    /// Who showed it.
    pub owner: AgencyId,
    /// Whom it is for.
    pub grantee: AgencyId,
    /// Why we do not carry it or the grantee does not use it; empty where it does, or has not been
    /// asked yet.
    pub problem: String,
}

impl Default for Grants {
    fn default() -> Self {
        let changed = watch::channel(0).0;
        Self { carried: Mutex::default(), refused: Mutex::default(), changed }
    }
}

impl Grants {
    /// Replaces everything `owner` granted before by what it grants now. A grant that is not the
    /// owner's to give is left out and listed with the reason; so is one without even names, which
    /// is only in the answer.
    pub fn replace(
        &self,
        manifest: &Manifest,
        owner: &AgencyId,
        shown: Vec<wire::SaltGrant>,
    ) -> Vec<String> {
        let (mut refused, mut lines) = (vec![], vec![]);
        let mut now = BTreeMap::new();
        for grant in shown {
            let (dataset, grantee) = (grant.dataset.parse(), grant.grantee.parse());
            match check(manifest, owner, grant) {
                Ok(grant) => {
                    now.insert((grant.dataset.clone(), grant.grantee.clone()), grant);
                }
                Err(problem) => {
                    if let (Ok(dataset), Ok(grantee)) = (dataset, grantee) {
                        let (owner, problem) = (owner.clone(), problem.clone());
                        lines.push(GrantLine { dataset, owner, grantee, problem });
                    }
                    refused.push(problem);
                }
            }
        }
        self.refused
            .lock()
            .expect("nobody panics while holding the grants")
            .insert(owner.clone(), lines);
        let mut carried = self.lock();
        let before = carried.len();
        carried.retain(|key, c| c.grant.owner != *owner || now.contains_key(key));
        let mut changed = carried.len() != before;
        for (key, grant) in now {
            if carried.get(&key).is_none_or(|carried| carried.grant != grant) {
                carried.insert(key, Carried { grant, problem: String::new() });
                changed = true;
            }
        }
        drop(carried);
        if changed {
            self.changed.send_modify(|version| *version += 1);
        }
        refused
    }

    /// The grants addressed to `grantee`, as messages.
    pub fn for_grantee(&self, grantee: &AgencyId) -> Vec<wire::SaltGrant> {
        let carried = self.lock();
        let theirs = carried.values().filter(|carried| carried.grant.grantee == *grantee);
        theirs.map(|carried| (&carried.grant).into()).collect()
    }

    /// Notes what `grantee` said to the grants delivered to it.
    pub fn answered(&self, grantee: &AgencyId, refused: &[wire::RefusedGrant]) {
        for carried in self.lock().values_mut().filter(|c| c.grant.grantee == *grantee) {
            let dataset = carried.grant.dataset.as_str();
            let refusal = refused.iter().find(|refusal| refusal.dataset == dataset);
            carried.problem = refusal.map(|refusal| refusal.reason.clone()).unwrap_or_default();
        }
    }

    /// Every grant that is carried, and those that are not and why.
    pub fn list(&self) -> Vec<GrantLine> {
        let carried: Vec<GrantLine> = self.lock().values().map(Carried::line).collect();
        let refused = self.refused.lock().expect("nobody panics while holding the grants");
        carried.into_iter().chain(refused.values().flatten().cloned()).collect()
    }

    /// Tells when something changed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Carried>> {
        self.carried.lock().expect("nobody panics while holding the grants")
    }
}

impl Carried {
    fn line(&self) -> GrantLine {
        GrantLine {
            dataset: self.grant.dataset.clone(),
            owner: self.grant.owner.clone(),
            grantee: self.grant.grantee.clone(),
            problem: self.problem.clone(),
        }
    }
}

fn check(
    manifest: &Manifest,
    owner: &AgencyId,
    grant: wire::SaltGrant,
) -> Result<SaltGrant, String> {
    let grant = SaltGrant::try_from(grant).map_err(|error| error.to_string())?;
    let owned = manifest.dataset(&grant.dataset).is_some_and(|dataset| dataset.owner == *owner);
    if grant.owner != *owner || !owned {
        return Err(format!("{owner} does not own it according to the federation manifest"));
    }
    if grant.scope != manifest.scope {
        return Err(format!("it is for {}, and this is {}", grant.scope, manifest.scope));
    }
    let key = manifest.agency(owner).ok_or("its owner is not in the federation manifest")?;
    grant.verify(&key.signing_key).map_err(|error| error.to_string())?;
    Ok(grant)
}

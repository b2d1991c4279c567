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

    /// Notes what `grantee` said to the grants that were delivered to it. One that was replaced
    /// meanwhile has not been asked about yet.
    pub fn answered(
        &self,
        grantee: &AgencyId,
        delivered: &[wire::SaltGrant],
        refused: &[wire::RefusedGrant],
    ) {
        for carried in self.lock().values_mut().filter(|c| c.grant.grantee == *grantee) {
            let dataset = carried.grant.dataset.as_str();
            let asked = delivered.iter().find(|asked| asked.dataset == dataset);
            if asked.is_none_or(|asked| *asked != wire::SaltGrant::from(&carried.grant)) {
                continue;
            }
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
    if manifest.agency(&grant.grantee).is_none() {
        let grantee = &grant.grantee;
        return Err(format!("{grantee} is no agency of the federation manifest"));
    }
    let key = manifest.agency(owner).ok_or("its owner is not in the federation manifest")?;
    grant.verify(&key.signing_key).map_err(|error| error.to_string())?;
    Ok(grant)
}

#[cfg(test)]
mod tests {
    use proto::{
        salt::Salt,
        scope::{Scope, Suite},
        signing::SigningKey,
    };
    use zeroize::Zeroizing;

    use super::*;

    fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().expect("a name")
    }

    /// The example's keys say in its header how they are made.
    fn key(owner: &str) -> SigningKey {
        let seed = if owner == "aid" { 1 } else { 3 };
        SigningKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    fn manifest() -> Manifest {
        let example = include_str!("../../proto/vectors/federation.toml");
        Manifest::parse(example).expect("good")
    }

    fn grant(epoch: u32, dataset: &str, owner: &str, grantee: &str) -> wire::SaltGrant {
        let scope = Scope { programme: name("demo"), epoch, suite: Suite::SaltedHash };
        let manifest = manifest();
        let hpke = &manifest.agency(&name("aid")).expect("listed").hpke_key;
        let (dataset, owner_id, grantee) = (name(dataset), name(owner), name(grantee));
        let salt = Salt::from_bytes([1; 32]);
        let granted =
            SaltGrant::issue(&salt, (&scope, &dataset), (&owner_id, &key(owner)), (&grantee, hpke));
        (&granted.expect("encrypted")).into()
    }

    #[test]
    fn only_what_an_owner_may_give_is_carried() {
        let (grants, tax) = (Grants::default(), name("tax"));
        let good = grant(1, "income", "tax", "aid");
        let mut forged = grant(1, "income", "tax", "tax");
        forged.signature[0] ^= 1;
        let shown = vec![
            good.clone(),
            forged,
            grant(1, "benefits", "tax", "aid"),
            grant(2, "income", "tax", "tax"),
            grant(1, "income", "tax", "nobody"),
            grant(1, "benefits", "aid", "tax"),
        ];
        let refused = grants.replace(&manifest(), &tax, shown);
        assert_eq!(refused.len(), 5, "{refused:?}");
        assert_eq!(grants.for_grantee(&name("aid")), [good]);
        assert!(grants.for_grantee(&tax).is_empty());
    }

    #[test]
    fn a_change_is_told_once_and_a_withdrawn_grant_is_no_longer_carried() {
        let (grants, manifest, tax) = (Grants::default(), manifest(), name("tax"));
        let mut changes = grants.subscribe();
        let good = grant(1, "income", "tax", "aid");
        grants.replace(&manifest, &tax, vec![good.clone()]);
        assert!(changes.has_changed().expect("there"));
        changes.mark_unchanged();
        grants.replace(&manifest, &tax, vec![good]);
        grants.replace(&manifest, &name("aid"), vec![]);
        assert!(!changes.has_changed().expect("there"), "nothing new");
        grants.replace(&manifest, &tax, vec![]);
        assert!(changes.has_changed().expect("there") && grants.list().is_empty());
    }

    #[test]
    fn what_a_grantee_said_is_of_the_grant_that_it_was_given() {
        let (grants, manifest, aid) = (Grants::default(), manifest(), name("aid"));
        let problem = || grants.list()[0].problem.clone();
        let first = grant(1, "income", "tax", "aid");
        grants.replace(&manifest, &name("tax"), vec![first.clone()]);
        let refused = [wire::RefusedGrant {
            dataset: "income".into(),
            owner: "tax".into(),
            reason: "does not open".into(),
        }];
        grants.answered(&aid, std::slice::from_ref(&first), &refused);
        assert_eq!(problem(), "does not open");
        let second = grant(1, "income", "tax", "aid");
        assert_ne!(first, second, "an envelope is never the same");
        grants.replace(&manifest, &name("tax"), vec![second.clone()]);
        assert_eq!(problem(), "", "not asked yet");
        grants.answered(&aid, &[first], &refused);
        assert_eq!(problem(), "", "that was about the one before");
        grants.answered(&aid, &[second], &[]);
        assert_eq!(problem(), "");
    }
}

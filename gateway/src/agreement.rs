//! Where configuration, federation manifest and policy do not fit together.
//!
//! None of it keeps the gateway from serving what does fit; all of it is told at start and by
//! `check`, because nobody would otherwise learn why a dataset never comes.

use std::collections::BTreeSet;

use proto::{manifest::Manifest, name::AgencyId};

use crate::{config::Config, policy::Policy};

/// A sentence for everything in a configuration that does not fit the policy or the manifest.
pub fn of(config: &Config, policy: &Policy) -> Vec<String> {
    let dialled: Vec<AgencyId> = config.adapters.iter().map(|it| it.agency.clone()).collect();
    faults(&config.manifest, policy, &dialled)
}

/// `dialled` are the agencies with an `[[adapter]]`.
fn faults(manifest: &Manifest, policy: &Policy, dialled: &[AgencyId]) -> Vec<String> {
    let mut faults = vec![];
    for dataset in &policy.catalogue.datasets {
        let (id, agency) = (&dataset.schema.dataset, &dataset.agency);
        let rules_wait = "rules that read it will find it unknown";
        match manifest.dataset(id) {
            None => faults.push(format!(
                "policy: dataset {id} is not in the federation manifest; {rules_wait}"
            )),
            Some(listed) if listed.owner != *agency => faults.push(format!(
                "policy: dataset {id} is {agency}'s, and {}'s in the federation manifest; \
                 {rules_wait}",
                listed.owner
            )),
            Some(listed) if listed.kind != Some(dataset.schema.kind) => faults.push(format!(
                "policy: dataset {id} is of another kind in the federation manifest; {rules_wait}"
            )),
            Some(_) if !dialled.contains(agency) => faults.push(format!(
                "policy: dataset {id} is {agency}'s, for which there is no [[adapter]]; \
                 {rules_wait}"
            )),
            Some(_) => {}
        }
    }
    let owners: BTreeSet<&AgencyId> =
        manifest.datasets().map(|(_, dataset)| &dataset.owner).collect();
    let idle = dialled.iter().filter(|agency| !owners.contains(agency));
    faults.extend(
        idle.map(|agency| {
            format!("[[adapter]] {agency} owns no dataset of the federation manifest")
        }),
    );
    faults
}

#[cfg(test)]
mod tests {
    use proto::manifest_file::{DatasetEntry, EntryKind, ManifestFile};

    use super::*;

    const POLICY: &str = r#"
        programme = { id = "demo", zh = "", en = "", pending_deadline = "72h" }
        [[agency]]
        id = "aid"
        zh = ""
        en = ""
        [[agency]]
        id = "tax"
        zh = ""
        en = ""
        [[dataset]]
        id = "benefits"
        agency = "aid"
        kind = "watch"
        fresh_within = "24h"
        zh = ""
        en = ""
        [[dataset]]
        id = "income"
        agency = "tax"
        kind = "cross_check"
        fresh_within = "24h"
        zh = ""
        en = ""
        [[dataset]]
        id = "cars"
        agency = "tax"
        kind = "cross_check"
        fresh_within = "24h"
        zh = ""
        en = ""
    "#;

    fn manifest(datasets: &[(&str, &str, EntryKind)]) -> Manifest {
        let example = include_str!("../../proto/vectors/federation.toml");
        let mut file = ManifestFile::parse(example).expect("good");
        let entry = |(id, owner, kind): &(&str, &str, EntryKind)| DatasetEntry {
            id: id.parse().expect("a name"),
            owner: owner.parse().expect("a name"),
            kind: *kind,
        };
        file.datasets = datasets.iter().map(entry).collect();
        file.check().expect("good")
    }

    #[test]
    fn what_can_never_arrive_is_told() {
        let policy = Policy::parse(POLICY).expect("good");
        let dialled = ["aid", "tax", "police"].map(|id| id.parse().expect("a name"));
        let base = ("base", "aid", EntryKind::Base);
        let (benefits, income) =
            (("benefits", "aid", EntryKind::Watch), ("income", "tax", EntryKind::CrossCheck));
        let fitting = manifest(&[base, benefits, income, ("cars", "tax", EntryKind::CrossCheck)]);
        assert_eq!(faults(&fitting, &policy, &dialled[..2]), Vec::<String>::new());

        let told = faults(&fitting, &policy, &dialled[..1]).join("\n");
        assert!(told.contains("income") && told.contains("no [[adapter]]"), "{told}");
        let told = faults(&fitting, &policy, &dialled).join("\n");
        assert!(told.contains("police owns no dataset") && told.lines().count() == 1, "{told}");
        let other = manifest(&[
            base,
            ("benefits", "tax", EntryKind::Watch),
            ("cars", "tax", EntryKind::Watch),
        ]);
        let told = faults(&other, &policy, &dialled[..2]).join("\n");
        assert!(told.contains("benefits is aid's, and tax's"), "{told}");
        assert!(told.contains("income is not in the federation manifest"), "{told}");
        assert!(told.contains("cars is of another kind"), "{told}");
    }
}

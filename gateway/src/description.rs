//! What an adapter says it publishes, checked against the manifest and the policy.
//!
//! A dataset that differs in anything is refused as a whole: guessing what a flag byte means is
//! worse than having none.

use std::collections::BTreeSet;

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
    schema::{DatasetKind, DatasetSchema, FlagSchema, HouseholdSchema},
    wire,
};

use crate::policy::Policy;

/// What can be followed, and what cannot and why.
#[derive(Debug, Default)]
pub struct Description {
    /// Datasets as manifest, policy and adapter agree on them.
    pub agreed: Vec<DatasetSchema>,
    /// Datasets refused, with a sentence for each.
    pub refused: Vec<(DatasetId, String)>,
}

/// Checks a whole answer.
///
/// # Errors
/// A sentence where the answer is for something else or was made with other derivations.
pub fn check(
    manifest: &Manifest,
    policy: &Policy,
    agency: &AgencyId,
    answer: &wire::DescribeResponse,
) -> Result<Description, String> {
    manifest.scope.accept(answer.scope.clone()).map_err(|error| error.to_string())?;
    if answer.agency != agency.as_str() {
        return Err(format!("the adapter says it is {}'s", answer.agency));
    }
    let ours = blake3::hash(proto::DERIVATION_VECTORS.as_bytes());
    if answer.vectors_hash != ours.as_bytes() {
        return Err(format!(
            "the adapter ({}) was built with other derivation vectors than this gateway: \
             install the same release on both sides",
            answer.software
        ));
    }
    let mut description = Description::default();
    let mut seen = BTreeSet::new();
    for dataset in &answer.datasets {
        let Ok(id) = dataset.dataset.parse::<DatasetId>() else { continue };
        if !seen.insert(id.clone()) {
            description.refused.push((id, "the adapter describes it twice".into()));
            continue;
        }
        match agree(manifest, policy, agency, &id, dataset) {
            Ok(schema) => description.agreed.push(schema),
            Err(problem) => description.refused.push((id, problem)),
        }
    }
    let missing = policy.catalogue.datasets.iter().filter(|dataset| dataset.agency == *agency);
    for id in missing.map(|dataset| &dataset.schema.dataset).filter(|id| !seen.contains(*id)) {
        let problem = "the adapter does not describe it: its configuration lacks the dataset";
        description.refused.push((id.clone(), problem.into()));
    }
    Ok(description)
}

fn agree(
    manifest: &Manifest,
    policy: &Policy,
    agency: &AgencyId,
    id: &DatasetId,
    described: &wire::DatasetDescription,
) -> Result<DatasetSchema, String> {
    let listed = manifest.dataset(id).ok_or("the federation manifest does not list it")?;
    if listed.owner != *agency {
        return Err(format!("the federation manifest says it is {}'s", listed.owner));
    }
    let schema = schema(id, described)?;
    if listed.kind != Some(schema.kind) {
        return Err("its kind is not the federation manifest's".into());
    }
    let number = policy.catalogue.number(id).ok_or("the policy's catalogue does not list it")?;
    let ours = &policy.catalogue.datasets[number];
    if ours.agency != *agency {
        return Err(format!("the policy's catalogue says it is {}'s", ours.agency));
    }
    if ours.schema != schema {
        return Err(difference(&ours.schema, &schema));
    }
    Ok(schema)
}

fn difference(policy: &DatasetSchema, adapter: &DatasetSchema) -> String {
    let ours: Vec<_> = policy.flags.iter().map(|flag| flag.name.as_str()).collect();
    let theirs: Vec<_> = adapter.flags.iter().map(|flag| flag.name.as_str()).collect();
    if ours != theirs {
        return format!(
            "the adapter's flags are [{}], and the policy's are [{}]",
            theirs.join(", "),
            ours.join(", ")
        );
    }
    let flag = policy.flags.iter().zip(&adapter.flags).find(|(ours, theirs)| ours != theirs);
    match flag {
        Some((flag, _)) => format!(
            "flag {} has other values, bands or coarser groups in the adapter than in the policy",
            flag.name
        ),
        None => "its household part differs between the adapter and the policy".into(),
    }
}

fn schema(id: &DatasetId, described: &wire::DatasetDescription) -> Result<DatasetSchema, String> {
    let kind = match described.kind() {
        wire::DatasetKind::Watch => DatasetKind::Watch,
        wire::DatasetKind::CrossCheck => DatasetKind::CrossCheck,
        wire::DatasetKind::Unspecified => return Err("it has no kind".into()),
    };
    let flags: Vec<FlagSchema> =
        described.flags.iter().cloned().map(FlagSchema::try_from).collect::<Result<_, _>>()?;
    let household = described.household.as_ref().map(household).transpose()?;
    let schema = DatasetSchema { dataset: id.clone(), kind, flags, household };
    schema.checked().map_err(|error| error.to_string())
}

fn household(described: &wire::HouseholdDescription) -> Result<HouseholdSchema, String> {
    let max_members =
        u8::try_from(described.max_members).map_err(|_| "household max_members is too large")?;
    let datasets = described.datasets.iter().map(|name| name.parse()).collect::<Result<_, _>>();
    let datasets = datasets.map_err(|_| "its household part names something that is no dataset")?;
    Ok(HouseholdSchema { max_members, datasets })
}

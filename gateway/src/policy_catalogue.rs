//! Checks the entries of a policy file that are not rules and makes the catalogue of them.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use proto::{
    name::{AgencyId, DatasetId, InvalidName},
    schema::{
        CoarserGroup, DatasetKind, DatasetSchema, FlagKind, FlagSchema, HouseholdSchema,
        InvalidSchema,
    },
};
use toml::Spanned;

use crate::{
    catalogue::{Agency, Catalogue, CatalogueDataset, Measure, Situation},
    label::Label,
    policy_error::{Fault, no_such, unique},
    policy_file::{DatasetEntry, FlagEntry, HouseholdEntry, NamedEntry, PolicyFile},
};

/// What opens a household question in a rule; nothing else may be called so.
pub(crate) const HOUSEHOLD: &str = "household";

/// Makes the catalogue.
pub(crate) fn catalogue(file: &PolicyFile) -> Result<Catalogue, Fault> {
    let agency = |(id, label)| Agency { id, label };
    let situation = |(id, label): (DatasetId, Label)| Situation { id: id.to_string(), label };
    let measure = |(id, label): (DatasetId, Label)| Measure { id: id.to_string(), label };
    let catalogue = Catalogue {
        agencies: named("agency", &file.agency)?.into_iter().map(agency).collect(),
        situations: named("situation", &file.situation)?.into_iter().map(situation).collect(),
        measures: named("measure", &file.measure)?.into_iter().map(measure).collect(),
        datasets: vec![],
    };
    check_ids(&catalogue, &file.dataset)?;
    let datasets = file.dataset.iter().map(|entry| dataset(&catalogue, entry, &file.dataset));
    Ok(Catalogue { datasets: datasets.collect::<Result<_, _>>()?, ..catalogue })
}

/// Checks a name's spelling.
pub(crate) fn name<T: FromStr<Err = InvalidName>>(text: &Spanned<String>) -> Result<T, Fault> {
    text.get_ref().parse().map_err(|error: InvalidName| Fault::of(text, error.to_string()))
}

/// Reads a duration such as `72h`.
pub(crate) fn duration(text: &Spanned<String>) -> Result<Duration, Fault> {
    let parsed = text.get_ref().parse::<jiff::SignedDuration>().ok();
    let duration = parsed.and_then(|duration| Duration::try_from(duration).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or_else(|| {
        let found = text.get_ref();
        Fault::of(text, format!("`{found}` is no duration; expected hours or minutes, as in `72h`"))
    })
}

fn named<T: FromStr<Err = InvalidName>>(
    kind: &str,
    entries: &[NamedEntry],
) -> Result<Vec<(T, Label)>, Fault> {
    let mut seen = BTreeSet::new();
    let mut items = vec![];
    for entry in entries {
        unique(&mut seen, kind, &entry.id)?;
        items.push((name(&entry.id)?, label(&entry.zh, &entry.en)));
    }
    Ok(items)
}

fn label(zh: &str, en: &str) -> Label {
    Label { zh: zh.to_owned(), en: en.to_owned() }
}

/// A rule's expression begins with an agency, a dataset or `household`: they must differ.
fn check_ids(catalogue: &Catalogue, entries: &[DatasetEntry]) -> Result<(), Fault> {
    let (mut seen, mut household) = (BTreeSet::new(), None);
    for entry in entries {
        unique(&mut seen, "dataset", &entry.id)?;
        let id = entry.id.get_ref();
        if id == DatasetId::base().as_str() || id == HOUSEHOLD {
            return Err(Fault::of(
                &entry.id,
                format!("the name `{id}` is taken; expected another"),
            ));
        }
        if catalogue.agency(id).is_some() {
            let sentence = format!("`{id}` is an agency; expected another name for the dataset");
            return Err(Fault::of(&entry.id, sentence));
        }
        if let Some(second) = &entry.household
            && let Some(first) = household.replace(id)
        {
            let sentence = format!("`{first}` holds the households; expected no second dataset");
            return Err(Fault::of(&second.max_members, sentence));
        }
    }
    Ok(())
}

fn dataset(
    catalogue: &Catalogue,
    entry: &DatasetEntry,
    entries: &[DatasetEntry],
) -> Result<CatalogueDataset, Fault> {
    let agency = entry.agency.get_ref();
    let Some(owner) = catalogue.agencies.iter().find(|known| known.id.as_str() == agency) else {
        let known = catalogue.agencies.iter().map(|agency| agency.id.as_str());
        return Err(Fault::of(&entry.agency, no_such("agency", agency, known)));
    };
    let bare = DatasetSchema {
        dataset: name(&entry.id)?,
        kind: entry.kind,
        flags: vec![],
        household: None,
    };
    let (mut seen, mut flags) = (BTreeSet::new(), vec![]);
    for flag in &entry.flag {
        unique(&mut seen, "flag", &flag.name)?;
        flags.push(self::flag(&bare, flag)?);
    }
    let household = match &entry.household {
        Some(household) => Some(self::household(&bare, household, entries)?),
        None => None,
    };
    let schema = DatasetSchema { flags, household, ..bare };
    Ok(CatalogueDataset {
        schema: schema.checked().map_err(|error| invalid(&entry.id, &error))?,
        agency: AgencyId::clone(&owner.id),
        fresh_within: duration(&entry.fresh_within)?,
        label: label(&entry.zh, &entry.en),
        flag_labels: entry.flag.iter().map(|flag| label(&flag.zh, &flag.en)).collect(),
    })
}

fn invalid<T>(place: &Spanned<T>, error: &InvalidSchema) -> Fault {
    Fault::of(place, error.to_string())
}

fn flag(dataset: &DatasetSchema, entry: &FlagEntry) -> Result<FlagSchema, Fault> {
    let groups = entry.coarser.iter().flat_map(|groups| groups.get_ref());
    let coarser = groups.map(|group| CoarserGroup(group.iter().copied().collect())).collect();
    let kind = match (&entry.bands, &entry.values, &entry.coarser) {
        (Some(bands), None, _) => {
            FlagKind::Bands { lower_bounds: bands.get_ref().clone(), coarser }
        }
        (None, Some(values), _) => FlagKind::Category { values: values.get_ref().clone(), coarser },
        (None, None, None) => FlagKind::Boolean,
        (None, None, Some(coarser)) => {
            return Err(Fault::of(coarser, "a boolean has no `coarser`; expected bands or values"));
        }
        (Some(_), Some(values), _) => {
            return Err(Fault::of(values, "a flag has bands or values; expected one of the two"));
        }
    };
    let flag = FlagSchema { name: name(&entry.name)?, kind };
    // By itself, so that a fault is told at this flag.
    let alone = DatasetSchema { flags: vec![flag.clone()], ..dataset.clone() };
    alone.checked().map_err(|error| match (&entry.coarser, &entry.bands, &entry.values) {
        (Some(coarser), ..) if error.to_string().contains("coarser") => invalid(coarser, &error),
        (_, Some(bands), _) => invalid(bands, &error),
        (_, _, Some(values)) => invalid(values, &error),
        _ => invalid(&entry.name, &error),
    })?;
    Ok(flag)
}

fn household(
    dataset: &DatasetSchema,
    entry: &HouseholdEntry,
    entries: &[DatasetEntry],
) -> Result<HouseholdSchema, Fault> {
    let mut datasets = vec![];
    let mut seen = BTreeSet::new();
    for id in entry.datasets.get_ref() {
        unique(&mut seen, "dataset", id)?;
        let cross_check = |entry: &&DatasetEntry| entry.kind == DatasetKind::CrossCheck;
        let mut known = entries.iter().filter(cross_check).map(|entry| entry.id.get_ref());
        if !known.clone().any(|known| known == id.get_ref()) {
            let known = known.by_ref().map(String::as_str);
            return Err(Fault::of(id, no_such("cross-check dataset", id.get_ref(), known)));
        }
        datasets.push(name(id)?);
    }
    let max_members = *entry.max_members.get_ref();
    let household = HouseholdSchema { max_members, datasets };
    let alone = DatasetSchema { household: Some(household.clone()), ..dataset.clone() };
    alone.checked().map_err(|error| match entry.datasets.get_ref().len() {
        1..=16 => invalid(&entry.max_members, &error),
        _ => invalid(&entry.datasets, &error),
    })?;
    Ok(household)
}

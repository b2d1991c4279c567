//! A dataset as it is published now, and what its rows need to be published.

use std::sync::Arc;

use proto::{
    name::DatasetId,
    salt::Salt,
    schema::{DatasetKind, DatasetSchema},
};

use crate::{
    agency::{Agency, HeldSalts},
    released::Released,
    sealing::fingerprint,
    version_log::{StoreError, VersionLog},
};

/// What there is of a dataset.
#[derive(Clone)]
pub enum Content {
    /// Nothing yet, or no longer.
    Nothing,
    /// The version log holds it.
    Sealed,
    /// A watch dataset's people.
    Released(Arc<Released>),
}

/// A dataset now.
#[derive(Clone)]
pub struct DatasetState {
    /// Its flags and household shape.
    pub schema: Arc<DatasetSchema>,
    /// What can be sent.
    pub content: Content,
    /// Why the last reload did not succeed.
    pub problem: Option<String>,
}

/// The salts that a cross-check dataset's rows need: its own, and for households their datasets'.
pub(crate) fn sealing_salts(
    salts: &HeldSalts,
    schema: &DatasetSchema,
) -> Result<(Salt, Vec<Salt>), String> {
    let household = schema.household.iter().flat_map(|household| &household.datasets);
    let needed: Vec<DatasetId> =
        std::iter::once(&schema.dataset).chain(household).cloned().collect();
    let mut found = salts.all(&needed)?.into_iter();
    let own = found.next().expect("as many as were asked for");
    Ok((own, found.collect()))
}

/// What the store holds of a cross-check dataset, if it can be published as it is.
pub(crate) fn stored(
    store: &VersionLog,
    agency: &Agency,
    salts: &HeldSalts,
    schema: &DatasetSchema,
) -> Result<Content, StoreError> {
    let Ok((salt, members)) = sealing_salts(salts, schema) else { return Ok(Content::Nothing) };
    let present = fingerprint(agency.derivation.scope(), schema, &salt, &members);
    let head = store.head(&schema.dataset)?.filter(|head| head.fingerprint == present);
    let sealed = schema.kind == DatasetKind::CrossCheck && head.is_some();
    Ok(if sealed { Content::Sealed } else { Content::Nothing })
}

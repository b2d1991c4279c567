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
    pub problem: Option<Problem>,
}

/// Why a dataset was not published anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The source or the store failed: what was published stays. The words name files and columns,
    /// and are for this agency alone.
    Stale(String),
    /// Some of its people have no root yet: what was published stays until they do. The words name key
    /// holders, and are for this agency.
    Waiting(String),
    /// A salt is missing: nothing can be published. The words say whom to ask.
    Withdrawn(String),
}

impl Problem {
    /// What happened, for this agency.
    pub fn text(&self) -> &str {
        match self {
            Self::Stale(text) | Self::Waiting(text) | Self::Withdrawn(text) => text,
        }
    }

    /// What the gateway is told.
    pub fn for_gateway(&self) -> &str {
        match self {
            Self::Stale(_) => {
                "its source or the version store failed: the agency's IT department finds why in the \
                 adapter's log and with `agency-adapter doctor`"
            }
            Self::Waiting(_) => "the key holders have not evaluated all of its people yet",
            Self::Withdrawn(text) => text,
        }
    }
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
    let present = fingerprint(&agency.manifest.scope, schema, &salt, &members);
    let head = store.head(&schema.dataset)?.filter(|head| head.fingerprint == present);
    let sealed = schema.kind == DatasetKind::CrossCheck && head.is_some();
    Ok(if sealed { Content::Sealed } else { Content::Nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_told_whom_to_ask_and_nothing_of_the_agencys_files() {
        let text = "file people.csv: lacks the columns 户号; it has 张三".to_owned();
        let stale = Problem::Stale(text.clone());
        assert!(!stale.for_gateway().contains("people") && !stale.for_gateway().contains('张'));
        assert_eq!(stale.text(), text);
        let withdrawn = Problem::Withdrawn("cars is not granted: ask police".into());
        assert_eq!(withdrawn.for_gateway(), withdrawn.text());
    }
}

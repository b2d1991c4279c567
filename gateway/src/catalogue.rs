//! The catalogue: agencies, situations, measures and datasets, as a policy declares them.
//!
//! Owns their order, which gives every dataset its number, and finding them by id. Checking a
//! policy's entries is `policy_catalogue`'s business.

use std::time::Duration;

use proto::{
    name::{AgencyId, DatasetId},
    schema::DatasetSchema,
};

use crate::label::Label;

/// A dataset's place in [`Catalogue::datasets`].
pub type DatasetNumber = usize;

/// Everything rules may speak of, in file order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// Who supplies data.
    pub agencies: Vec<Agency>,
    /// What raises a warning.
    pub situations: Vec<Situation>,
    /// How somebody can be helped.
    pub measures: Vec<Measure>,
    /// What is supplied.
    pub datasets: Vec<CatalogueDataset>,
}

/// An organisation that supplies data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    /// Unique.
    pub id: AgencyId,
    /// What it is called.
    pub label: Label,
}

/// A trigger situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Unique among situations.
    pub id: String,
    /// What it is called.
    pub label: Label,
}

/// An assistance measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Unique among measures.
    pub id: String,
    /// What it is called.
    pub label: Label,
}

/// A dataset, whose it is, and how long its answers count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueDataset {
    /// Its flags.
    pub schema: DatasetSchema,
    /// Who supplies it.
    pub agency: AgencyId,
    /// How long after its source was read its answers count.
    pub fresh_within: Duration,
    /// What it is called.
    pub label: Label,
    /// What its flags are called, in the schema's order.
    pub flag_labels: Vec<Label>,
}

impl Catalogue {
    /// Whether data means the same under both, whatever it is called.
    pub fn means_the_same(&self, other: &Self) -> bool {
        let meaning =
            |it: &CatalogueDataset| (it.schema.clone(), it.agency.clone(), it.fresh_within);
        self.datasets.iter().map(meaning).eq(other.datasets.iter().map(meaning))
    }

    /// A dataset's number.
    pub fn number(&self, dataset: &DatasetId) -> Option<DatasetNumber> {
        self.dataset(dataset.as_str())
    }

    /// The number of the dataset with this id.
    pub fn dataset(&self, id: &str) -> Option<DatasetNumber> {
        self.datasets.iter().position(|dataset| dataset.schema.dataset.as_str() == id)
    }

    /// The one dataset whose rows hold households, if there is one.
    pub fn household(&self) -> Option<DatasetNumber> {
        self.datasets.iter().position(|dataset| dataset.schema.household.is_some())
    }

    /// What an agency is called.
    pub fn agency(&self, id: &str) -> Option<&Label> {
        self.agencies.iter().find(|agency| agency.id.as_str() == id).map(|agency| &agency.label)
    }

    /// What a situation is called.
    pub fn situation(&self, id: &str) -> Option<&Label> {
        self.situations.iter().find(|situation| situation.id == id).map(|it| &it.label)
    }

    /// What a measure is called.
    pub fn measure(&self, id: &str) -> Option<&Label> {
        self.measures.iter().find(|measure| measure.id == id).map(|measure| &measure.label)
    }
}

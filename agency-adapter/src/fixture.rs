//! Invented people, salts and agencies for this package's tests.

use proto::{
    name::DatasetId,
    salt::Salt,
    schema::{DatasetKind, DatasetSchema, FlagKind, FlagSchema, FlagValue, HouseholdSchema},
    scope::{Scope, Suite},
};

use crate::{derive::Derivation, identifier::Identifier, load::Person};

/// The programme that every test is in.
pub fn derivation(epoch: u32) -> Derivation {
    let programme = "demo".parse().expect("a name");
    let scope = Scope { programme, epoch, suite: Suite::SaltedHash };
    Derivation::new(&scope).expect("available")
}

/// A dataset with one boolean flag.
pub fn schema(dataset: &str, kind: DatasetKind) -> DatasetSchema {
    let flag = FlagSchema { name: "listed".parse().expect("a name"), kind: FlagKind::Boolean };
    let dataset = name(dataset);
    DatasetSchema { dataset, kind, flags: vec![flag], household: None }
}

/// The same with households.
pub fn household_schema(dataset: &str, max_members: u8, datasets: &[&str]) -> DatasetSchema {
    let datasets = datasets.iter().map(|dataset| name(dataset)).collect();
    let household = Some(HouseholdSchema { max_members, datasets });
    DatasetSchema { household, ..schema(dataset, DatasetKind::CrossCheck) }
}

/// A dataset's name.
pub fn name(dataset: &str) -> DatasetId {
    dataset.parse().expect("a name")
}

/// A salt of 32 equal bytes.
pub fn salt(byte: u8) -> Salt {
    Salt::from_bytes([byte; 32])
}

/// The `number`th invented person, of a county that no living person's number has.
pub fn identifier(number: u32) -> Identifier {
    Identifier::stand_in(&format!("32019919800101{number:04}"))
}

/// The same with a flag.
pub fn person(number: u32, flag: u8) -> Person {
    let flags = vec![FlagValue::exact(flag)];
    let (identifier, household) = (identifier(number), vec![]);
    Person { identifier, region: 0, flags, household, household_complete: true }
}

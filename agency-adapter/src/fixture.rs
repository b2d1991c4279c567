//! Invented people, salts and agencies for this package's tests.

use std::{fs, num::NonZeroU8, path::PathBuf, sync::Arc};

use proto::{
    envelope::EnvelopeKey,
    manifest::Epoch,
    manifest_file::{DatasetEntry, EntryKind, ManifestFile},
    name::{DatasetId, ProgrammeId},
    salt::Salt,
    schema::{DatasetKind, DatasetSchema, FlagKind, FlagSchema, FlagValue, HouseholdSchema},
    scope::{Scope, Suite},
    signed_manifest::SignedManifest,
};

use crate::{
    agency::Agency,
    clock::Clock,
    config::Config,
    derive::Derivation,
    identifier::{Identifier, IdentifierType, canonicalise},
    keys::{Keys, PublicKeys},
    link_key::LinkKey,
    load::Person,
    publication::Publication,
};

const CONFIG: &str = r#"
agency = "aid"
listen = "127.0.0.1:0"
state_dir = "state"
manifest = "federation.toml"
reload_every = "15m"
tls = { certificate = "c.pem", key = "k.pem", trust = "t.pem" }
[[dataset]]
id = "unemployed"
kind = "watch"
csv = "people.csv"
encoding = "utf-8"
identifier = { column = "id", type = "resident_id" }
[[dataset]]
id = "residents"
kind = "cross_check"
csv = "people.csv"
encoding = "utf-8"
identifier = { column = "id", type = "resident_id" }
household = { column = "house", max_members = 4, datasets = ["cars"] }
"#;

/// The programme that every test is in.
pub fn derivation(epoch: u32) -> Derivation {
    let scope = Scope { programme: programme(), epoch, suite: Suite::SaltedHash };
    Derivation::computed(&scope).expect("computable")
}

/// Its name.
pub fn programme() -> ProgrammeId {
    "demo".parse().expect("a name")
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

/// The resident id of the `number`th invented person, of a county that no living person's number has.
pub fn id(number: u32) -> String {
    let (day, sequence) = (number / 99, number % 99 + 1);
    let body = format!("3201991980{:02}{:02}{sequence:03}", day / 28 % 12 + 1, day % 28 + 1);
    let digits = body.bytes().map(|digit| u32::from(digit - b'0'));
    // GB 11643: the weights are 2^17 to 2^1 modulo 11.
    let sum: u32 = digits.zip((1..=17).rev()).map(|(digit, power)| digit << power).sum();
    let check = char::from(b"10X98765432"[(sum % 11) as usize]);
    format!("{body}{check}")
}

/// The `number`th invented person.
pub fn identifier(number: u32) -> Identifier {
    let today = jiff::civil::date(2026, 1, 31);
    canonicalise(&IdentifierType::ResidentId, &id(number), today).expect("well formed").identifier
}

/// The same with a flag.
pub fn person(number: u32, flag: u8) -> Person {
    let flags = vec![FlagValue::exact(flag)];
    let (identifier, household) = (identifier(number), vec![]);
    Person { identifier, particulars: None, flags, household, household_complete: true }
}

/// The example of a manifest with `aid` as its one holder, with these keys in place of its agencies'
/// own, and these datasets.
pub fn manifest(
    agencies: &[(&str, PublicKeys)],
    datasets: &[(&str, &str, EntryKind)],
) -> ManifestFile {
    let example = include_str!("../../proto/vectors/federation.toml");
    let mut file = ManifestFile::parse(example).expect("good");
    file.holders.threshold = NonZeroU8::MIN;
    file.holders.agencies.truncate(1);
    for (id, keys) in agencies {
        let listed = file.agencies.iter_mut().find(|agency| agency.id.as_str() == *id);
        let listed = listed.expect("the example lists it");
        listed.signing_key = keys.signing;
        listed.hpke_key = EnvelopeKey::from_bytes(&keys.hpke).expect("a key");
        listed.witness_key = keys.witness;
    }
    let entry = |(id, owner, kind): &(&str, &str, EntryKind)| DatasetEntry {
        id: name(id),
        owner: owner.parse().expect("a name"),
        kind: *kind,
    };
    file.datasets = datasets.iter().map(entry).collect();
    file
}

/// Writes the configured manifest, signed by this agency as its one holder.
pub fn sign(config: &Config, manifest: &ManifestFile) {
    let mut signed = SignedManifest::parse(&manifest.to_string()).expect("good");
    let keys = Keys::read(&config.state_dir).expect("made");
    signed.sign(&config.agency, &keys.signing).expect("a holder");
    fs::write(&config.manifest, signed.to_string()).expect("written");
}

/// An agency that has run `init`: its directory, its file of people, its configuration, and a clock.
pub fn agency() -> (tempfile::TempDir, PathBuf, Config, Clock) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("adapter.toml"), CONFIG).expect("written");
    let config = Config::read(&directory.path().join("adapter.toml")).expect("good");
    let clock = Clock::manual("2026-11-24T00:00:00Z".parse().expect("a moment"));
    let init = || crate::setup::init(&config, &clock, crate::lang::Lang::En).expect("made");
    let datasets = [
        ("base", "aid", EntryKind::Base),
        ("unemployed", "aid", EntryKind::Watch),
        ("residents", "aid", EntryKind::CrossCheck),
        ("cars", "police", EntryKind::CrossCheck),
    ];
    sign(&config, &manifest(&[("aid", init().keys)], &datasets));
    init();
    let people = directory.path().join("people.csv");
    fs::write(&people, "id,house\n320102198001010016,7\n32010419550615003X,7\n").expect("ok");
    (directory, people, config, clock)
}

/// What such an agency publishes.
pub fn open(config: &Config, clock: &Clock) -> Publication {
    let agency = Agency::open(config).expect("good");
    let key = Arc::new(link_key());
    Publication::open(config.clone(), agency, clock.clone(), key).expect("opened")
}

/// The key of this run.
pub fn link_key() -> LinkKey {
    LinkKey::random().expect("random numbers")
}

/// Epochs with these numbers, each a year long.
pub fn epochs(numbers: &[u32]) -> Vec<Epoch> {
    let epoch = |&number: &u32| {
        let year = 2027 + i16::try_from(number).expect("a small number");
        Epoch { number, until: jiff::civil::date(year, 12, 31), share_keys: vec![] }
    };
    numbers.iter().map(epoch).collect()
}

/// Has the agency's manifest list these epochs.
pub fn list_epochs(config: &Config, numbers: &[u32]) {
    let signed = crate::accepted_manifest::parse(&config.manifest).expect("written before");
    let mut file = ManifestFile::parse(signed.body()).expect("good");
    file.version += 1;
    file.epochs = epochs(numbers);
    sign(config, &file);
}

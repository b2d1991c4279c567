//! An attacker's tool, for promise 5: tries identifiers, one after another, against what the gateway and
//! one agency hold together.
//!
//! Written from PROTOCOL.md sections 4, 5 and 15.1, with nothing of agency-adapter's derivations.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use agency_adapter::{grants::Grants, keys::Keys, salts::OwnSalts};
use curve25519_dalek::ristretto::RistrettoPoint;
use proto::{
    labels,
    lp::LengthPrefixed,
    name::{AgencyId, DatasetId},
    person_secret::{LookupTag, PersonSecret},
    salt::Salt,
    schema::DatasetKind,
    subject::Subject,
};
use ring::digest::{Context, SHA512};
use tests::world::World;

use crate::capability::{Released, rows_of};

/// What the two hold together, ready to be searched.
pub struct Loot {
    programme: String,
    epoch: u32,
    /// The agency's own, and those granted to it.
    salts: BTreeMap<DatasetId, Salt>,
    /// Of every dataset at the gateway.
    rows: BTreeMap<DatasetId, BTreeSet<LookupTag>>,
    /// Of everybody in the base.
    subjects: BTreeSet<Subject>,
}

impl Loot {
    /// Takes it from a federation that is running.
    pub async fn of(world: &World, agency: &AgencyId) -> Self {
        let manifest = &world.deployment.manifest;
        let state = state_dir(world, agency);
        let keys = Keys::read(&state).expect("the agency's keys");
        let own = OwnSalts::new(&state, manifest.scope.epoch);
        let granted = Grants::new(&state, agency, &manifest.scope);
        let (mut salts, mut rows) = (BTreeMap::new(), BTreeMap::new());
        for (id, dataset) in manifest.datasets() {
            let salt = match dataset.owner == *agency {
                true => own.read(id).expect("a salt, or none"),
                false => granted.salt((manifest, &keys), id).expect("a grant, or none"),
            };
            salts.extend(salt.map(|salt| (id.clone(), salt)));
            if dataset.kind == Some(DatasetKind::CrossCheck) {
                rows.insert(id.clone(), rows_of(world, id).await);
            }
        }
        Self {
            programme: manifest.scope.programme.to_string(),
            epoch: manifest.scope.epoch,
            salts,
            rows,
            subjects: Released::of(world).await.subjects,
        }
    }

    /// Whether a root leads to anything: to a subject, or to a row.
    pub fn finds(&self, root: &[u8; 32]) -> bool {
        self.leads(|dataset, salt| self.secret(root, dataset, salt))
    }

    /// Whether any of a person's secrets does.
    pub fn leads(&self, secret: impl Fn(&DatasetId, &Salt) -> PersonSecret) -> bool {
        self.salts.iter().any(|(dataset, salt)| {
            let secret = secret(dataset, salt);
            let row = self.rows.get(dataset).is_some_and(|r| r.contains(&secret.lookup_tag()));
            row || (*dataset == DatasetId::base() && self.subjects.contains(&Subject::of(&secret)))
        })
    }

    fn secret(&self, root: &[u8; 32], dataset: &DatasetId, salt: &Salt) -> PersonSecret {
        let material = LengthPrefixed::new()
            .field(salt.expose())
            .field(root)
            .field(self.programme.as_bytes())
            .field(dataset.as_str().as_bytes())
            .number(self.epoch);
        PersonSecret::from_bytes(blake3::derive_key(labels::PERSON_SECRET, material.as_bytes()))
    }
}

/// Where an agency keeps its keys, salts and whatever else it holds.
pub fn state_dir(world: &World, agency: &AgencyId) -> PathBuf {
    world.deployment.dir.join(agency.as_str()).join("state")
}

/// A resident's identifier.
pub fn identifier(resident_id: &str) -> Vec<u8> {
    [&[1], resident_id.as_bytes()].concat()
}

/// The root of suite `salted-hash`.
pub fn computed_root(identifier: &[u8]) -> [u8; 32] {
    blake3::derive_key(labels::ROOT_SALTED_HASH, identifier)
}

/// The root of suite `oprf`, for what is supposed to be the identifier's unblinded element.
pub fn evaluated_root(identifier: &[u8], unblinded: &[u8; 32]) -> [u8; 32] {
    let length = u16::try_from(identifier.len()).expect("19 bytes").to_be_bytes();
    let output = sha512(&[&length, identifier, &[0, 32], unblinded, b"Finalize"]);
    blake3::derive_key(labels::ROOT_OPRF, &output)
}

/// `HashToGroup` of an identifier: what a requester blinds.
pub fn mapped(identifier: &[u8]) -> [u8; 32] {
    let tag = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512";
    let tag_length = [u8::try_from(tag.len()).expect("short")];
    let first = sha512(&[&[0; 128], identifier, &[0, 64, 0], tag, &tag_length]);
    let uniform = sha512(&[&first, &[1], tag, &tag_length]);
    RistrettoPoint::from_uniform_bytes(&uniform).compress().to_bytes()
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut context = Context::new(&SHA512);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("64 bytes")
}

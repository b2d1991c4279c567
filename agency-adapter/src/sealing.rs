//! From the people of a loaded dataset to rows ready to be sealed, in the order of their tags.
//!
//! Keeping the rows and their versions is the business of `version_log`.

use proto::{
    lp::LengthPrefixed,
    name::DatasetId,
    person_secret::{LookupTag, PersonSecret},
    salt::Salt,
    schema::{DatasetSchema, FlagKind, FlagValue},
    scope::Scope,
    sealed_row::{RowNonce, RowSealer},
};
use zeroize::Zeroizing;

use crate::{derive::Derivation, household_rows::HouseholdRows, load::Person, parallel};

/// Where one person's row belongs, and the secret that seals it.
pub struct Keyed {
    /// The row's place.
    pub tag: LookupTag,
    /// Opens and seals the row.
    pub secret: PersonSecret,
    /// Which of the loaded people it is.
    pub person: usize,
}

/// A dataset as loaded, ready for the version log.
pub struct Sealing<'l> {
    /// The dataset.
    pub dataset: &'l DatasetId,
    /// Of the scope, the schema and the salts: rows of another fingerprint cannot be compared.
    pub fingerprint: [u8; 32],
    /// Bytes of a row before encryption.
    pub row_size: usize,
    /// Ascending by tag, no tag twice.
    pub keyed: Vec<Keyed>,
    persons: &'l [Person],
    household: Option<HouseholdRows<'l>>,
    sealer: RowSealer,
}

impl<'l> Sealing<'l> {
    /// Derives every person's tag and secret.
    pub fn new(
        derivation: &'l Derivation,
        schema: &'l DatasetSchema,
        (salt, member_salts): (&'l Salt, Vec<Salt>),
        persons: &'l [Person],
    ) -> Self {
        let fingerprint = fingerprint(derivation.scope(), schema, salt, &member_salts);
        let household = schema
            .household
            .as_ref()
            .map(|household| HouseholdRows::new(derivation, schema, household, salt, member_salts));
        Self {
            dataset: &schema.dataset,
            fingerprint,
            row_size: schema.row_size(),
            keyed: keyed(derivation, &schema.dataset, salt, persons),
            persons,
            household,
            sealer: RowSealer::new(derivation.scope(), &schema.dataset),
        }
    }

    /// The sealed row of a person if it differs from `stored`, sealed under `nonce`: the nonce, then
    /// the ciphertext.
    pub fn changed(
        &self,
        keyed: &Keyed,
        stored: Option<&[u8]>,
        nonce: RowNonce,
    ) -> Option<Vec<u8>> {
        // Of a household dataset, the plain row holds its members' secrets.
        let mut plain = Zeroizing::new(self.plain(keyed));
        let key = keyed.secret.seal_key();
        if let Some((old_nonce, sealed)) = stored.and_then(<[u8]>::split_first_chunk::<12>) {
            let mut old = Zeroizing::new(sealed.to_vec());
            let opened = self.sealer.open(&key, keyed.tag, RowNonce(*old_nonce), &mut old);
            if opened.is_ok_and(|opened| opened == plain.as_slice()) {
                return None;
            }
        }
        let mut sealed = std::mem::take(&mut *plain);
        self.sealer.seal(&key, keyed.tag, nonce, &mut sealed);
        Some([&nonce.0[..], &sealed].concat())
    }

    fn plain(&self, keyed: &Keyed) -> Vec<u8> {
        let person = &self.persons[keyed.person];
        let mut row = Vec::with_capacity(self.row_size + proto::sealed_row::SEAL_OVERHEAD);
        row.extend(person.flags.iter().map(|flag: &FlagValue| flag.to_byte()));
        if let Some(household) = &self.household {
            household.append(person, &keyed.secret, &mut row);
        }
        assert_eq!(row.len(), self.row_size, "a load has as many flags as its schema");
        row
    }
}

fn keyed(
    derivation: &Derivation,
    dataset: &DatasetId,
    salt: &Salt,
    persons: &[Person],
) -> Vec<Keyed> {
    let secrets = parallel::map(persons, |person| {
        let secret = derivation.person_secret(&derivation.root(&person.identifier), dataset, salt);
        (secret.lookup_tag(), secret)
    });
    let mut keyed: Vec<Keyed> = secrets
        .into_iter()
        .enumerate()
        .map(|(person, (tag, secret))| Keyed { tag, secret, person })
        .collect();
    keyed.sort_unstable_by_key(|keyed| keyed.tag);
    // A load holds a person once; were it otherwise, an order with equal tags would be refused.
    keyed.dedup_by_key(|keyed| keyed.tag);
    keyed
}

/// What rows must have in common to be compared with each other: stays on this computer.
pub fn fingerprint(
    scope: &Scope,
    schema: &DatasetSchema,
    salt: &Salt,
    member_salts: &[Salt],
) -> [u8; 32] {
    let mut fields = LengthPrefixed::new()
        .field(b"version log fingerprint")
        .byte(scope.suite.to_byte())
        .field(scope.programme.as_str().as_bytes())
        .number(scope.epoch)
        .field(schema.dataset.as_str().as_bytes())
        .field(salt.expose());
    for salt in member_salts {
        fields = fields.field(salt.expose());
    }
    for flag in &schema.flags {
        fields = fields.field(flag.name.as_str().as_bytes());
        fields = match &flag.kind {
            FlagKind::Boolean => fields.byte(1),
            FlagKind::Category { values, .. } => {
                values.iter().fold(fields.byte(2), |fields, value| fields.field(value.as_bytes()))
            }
            FlagKind::Bands { lower_bounds, .. } => {
                let add = |fields: LengthPrefixed, bound: &i64| fields.field(&bound.to_be_bytes());
                lower_bounds.iter().fold(fields.byte(3), add)
            }
        };
        for group in flag.kind.coarser() {
            fields = fields.field(&group.0.iter().copied().collect::<Vec<u8>>());
        }
    }
    if let Some(household) = &schema.household {
        fields = fields.byte(household.max_members);
        for dataset in &household.datasets {
            fields = fields.field(dataset.as_str().as_bytes());
        }
    }
    *blake3::hash(fields.as_bytes()).as_bytes()
}

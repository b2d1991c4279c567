//! What must hold between the parts of a federation manifest (PROTOCOL.md section 14.2).
//!
//! Whether share keys lie on one polynomial is checked where curve arithmetic is, in agency-adapter.

use std::collections::{BTreeMap, BTreeSet};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{
    manifest::{Agency, Dataset, Epoch, Holders, LogTrust, MAX_HOLDERS, Manifest, ManifestError},
    manifest_file::{DatasetEntry, EntryKind, ManifestFile},
    name::{AgencyId, DatasetId},
    schema::DatasetKind,
    scope::{Scope, Suite},
};

impl TryFrom<ManifestFile> for Manifest {
    type Error = ManifestError;

    fn try_from(file: ManifestFile) -> Result<Self, ManifestError> {
        let mut agencies = BTreeMap::new();
        for agency in file.agencies {
            let id = agency.id.clone();
            if agencies.insert(id.clone(), agency).is_some() {
                return Err(ManifestError::Twice { what: "agency", name: id.to_string() });
            }
        }
        check_keys_differ(&agencies, &file.log)?;
        let datasets = check_datasets(file.datasets, &agencies)?;
        check_holders(&file.holders, file.suite, &agencies)?;
        let epoch = check_epochs(&file.epochs, file.suite, file.holders.agencies.len())?.clone();
        check_quotas(file.suite, &agencies, &datasets)?;
        if usize::from(file.log.quorum.get()) > agencies.len() {
            return rule("[log] quorum is more than there are agencies, and each is one witness");
        }
        if !is_authority(&file.officers.authority) {
            return rule("[officers] authority must be X.509 certificates in PEM");
        }
        Ok(Self {
            scope: Scope { programme: file.programme, epoch: epoch.number, suite: file.suite },
            version: file.version,
            holders: file.holders,
            epoch,
            epochs: file.epochs,
            log: file.log,
            officers_authority: file.officers.authority,
            agencies,
            datasets,
        })
    }
}

fn rule<T>(text: impl Into<String>) -> Result<T, ManifestError> {
    Err(ManifestError::Rule(text.into()))
}

/// One key under two names would count as two signers or two witnesses.
fn check_keys_differ(
    agencies: &BTreeMap<AgencyId, Agency>,
    log: &LogTrust,
) -> Result<(), ManifestError> {
    let mut seen = BTreeMap::from([(log.key.0, "key of [log]".to_owned())]);
    for Agency { id, signing_key, witness_key, .. } in agencies.values() {
        for (field, key) in [("signing_key", signing_key), ("witness_key", witness_key)] {
            let second = format!("{field} of {id}");
            if let Some(first) = seen.insert(key.0, second.clone()) {
                return Err(ManifestError::SameKey { first, second });
            }
        }
    }
    Ok(())
}

fn check_datasets(
    entries: Vec<DatasetEntry>,
    agencies: &BTreeMap<AgencyId, Agency>,
) -> Result<BTreeMap<DatasetId, Dataset>, ManifestError> {
    let mut datasets = BTreeMap::new();
    for DatasetEntry { id, owner, kind } in entries {
        if !agencies.contains_key(&owner) {
            return Err(ManifestError::Owner { dataset: id, owner });
        }
        if (kind == EntryKind::Base) != (id == DatasetId::base()) {
            return Err(ManifestError::Base);
        }
        let kind = match kind {
            EntryKind::Base => None,
            EntryKind::Watch => Some(DatasetKind::Watch),
            EntryKind::CrossCheck => Some(DatasetKind::CrossCheck),
        };
        if datasets.insert(id.clone(), Dataset { owner, kind }).is_some() {
            return Err(ManifestError::Twice { what: "dataset", name: id.to_string() });
        }
    }
    if datasets.contains_key(&DatasetId::base()) { Ok(datasets) } else { Err(ManifestError::Base) }
}

fn check_holders(
    holders: &Holders,
    suite: Suite,
    agencies: &BTreeMap<AgencyId, Agency>,
) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for holder in &holders.agencies {
        if !agencies.contains_key(holder) {
            return Err(ManifestError::Holder(holder.clone()));
        }
        if !seen.insert(holder) {
            return Err(ManifestError::Twice { what: "holder", name: holder.to_string() });
        }
    }
    let (threshold, count) = (usize::from(holders.threshold.get()), holders.agencies.len());
    if count > MAX_HOLDERS {
        return rule(format!("[holders] names {count} agencies; {MAX_HOLDERS} is the most"));
    }
    // Two disjoint sets of holders could otherwise sign two manifests of one version.
    if threshold > count || threshold * 2 <= count {
        return rule(format!(
            "[holders] threshold is {threshold} of {count}: it must be more than half, and not more \
             than all"
        ));
    }
    match (suite, holders.ceremony) {
        (Suite::Oprf, _) if threshold < 2 => rule(
            "[holders] threshold must be 2 or more with suite oprf: one holder has the whole key",
        ),
        (Suite::Oprf, None) => {
            rule("[holders] ceremony is missing: \"distributed\", or \"trusted-dealer\" in a demo")
        }
        (Suite::SaltedHash, Some(_)) => rule("[holders] ceremony is for suite oprf only"),
        _ => Ok(()),
    }
}

/// The present epoch.
fn check_epochs(epochs: &[Epoch], suite: Suite, holders: usize) -> Result<&Epoch, ManifestError> {
    let present = match epochs {
        [present] => present,
        [present, next] if present.number < next.number && present.until <= next.until => present,
        [_, _] => {
            return rule("the second [[epoch]] must have a greater number, and not end earlier");
        }
        _ => return rule("there must be one [[epoch]], or two while an epoch change is under way"),
    };
    for Epoch { number, share_keys, .. } in epochs {
        match suite {
            Suite::SaltedHash if !share_keys.is_empty() => {
                return rule(format!("epoch {number}: share_keys are for suite oprf only"));
            }
            Suite::Oprf if share_keys.len() != holders => {
                return rule(format!(
                    "epoch {number} has {} share_keys and there are {holders} holders: with suite \
                     oprf there is one for each, in their order",
                    share_keys.len()
                ));
            }
            _ => {}
        }
    }
    Ok(present)
}

fn check_quotas(
    suite: Suite,
    agencies: &BTreeMap<AgencyId, Agency>,
    datasets: &BTreeMap<DatasetId, Dataset>,
) -> Result<(), ManifestError> {
    for Agency { id, quota, .. } in agencies.values() {
        let derives = datasets.values().any(|d| d.owner == *id && d.kind.is_some());
        match suite {
            Suite::SaltedHash if *quota != 0 => {
                return rule(format!("agency {id}: quota is for suite oprf only"));
            }
            Suite::Oprf if *quota == 0 && derives => {
                return rule(format!(
                    "agency {id} has no quota, and without one nobody in its datasets can be found: \
                     write how many identifiers it may have evaluated in an epoch"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_authority(pem: &str) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.is_ok_and(|all| {
        !all.is_empty() && all.iter().all(|der| X509Certificate::from_der(der).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;

    const EXAMPLE: &str = include_str!("../vectors/federation.toml");

    /// The example with suite oprf, as a 2-of-3.
    fn oprf() -> String {
        let keys: Vec<String> = (1..=3).map(|byte| hex::encode([byte; 32])).collect();
        EXAMPLE
            .replace("\"salted-hash\"", "\"oprf\"")
            .replace("threshold = 2", "threshold = 2\nceremony = \"distributed\"")
            .replace("until = 2027-12-31", &format!("until = 2027-12-31\nshare_keys = {keys:?}"))
            .replace("witness_key", "quota = 1000\nwitness_key")
    }

    fn problem(text: &str) -> String {
        Manifest::parse(text).expect_err("refused").to_string()
    }

    #[test]
    fn a_manifest_is_read_whole() {
        let name = |id: &str| id.parse().expect("a name");
        let manifest = Manifest::parse(EXAMPLE).expect("good");
        assert_eq!(manifest.dataset(&DatasetId::base()).map(|d| d.kind), Some(None));
        assert_eq!(manifest.holder_index(&name("tax")), NonZeroU8::new(3));
        assert_eq!(manifest.holder_index(&name("fire")), None);
        assert_eq!(manifest.log().quorum.get(), 2);
        let manifest = Manifest::parse(&oprf()).expect("good");
        assert_eq!(manifest.epoch().share_keys.len(), 3);
        assert_eq!(manifest.agency(&name("police")).map(|agency| agency.quota), Some(1000));
    }

    #[test]
    fn each_of_two_epochs_can_be_selected() {
        let second = "[[epoch]]\nnumber = 2\nuntil = 2028-12-31\n\n[log]";
        let manifest = Manifest::parse(&EXAMPLE.replace("[log]", second)).expect("good");
        assert_eq!((manifest.scope.epoch, manifest.epoch().number), (1, 1));
        let next = manifest.in_epoch(2).expect("listed");
        assert_eq!((next.scope.epoch, next.epoch().number, next.epochs().len()), (2, 2, 2));
        assert_eq!(next.in_epoch(1), Some(manifest.clone()));
        assert_eq!(manifest.in_epoch(3), None);
        for (number, until) in [(1, "2028-12-31"), (2, "2027-12-30")] {
            let second = format!("[[epoch]]\nnumber = {number}\nuntil = {until}\n\n[log]");
            let text = problem(&EXAMPLE.replace("[log]", &second));
            assert!(text.contains("second [[epoch]]"), "{text}");
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused_with_its_line() {
        for (table, line) in
            [("version = 1", 4), ("[holders]", 8), ("[[epoch]]", 12), ("[log]", 16)]
        {
            let text = problem(&EXAMPLE.replacen(table, &format!("{table}\ncolour = 1"), 1));
            assert!(text.contains(&format!("line {}", line + 1)), "{table}: {text}");
            assert!(text.contains("unknown field `colour`"), "{table}: {text}");
        }
        let text = problem(&EXAMPLE.replace("2027-12-31", "2027-12-31T10:00:00"));
        assert!(text.contains("line 14") && text.contains("2027-12-31"), "{text}");
        let text = problem(&EXAMPLE.replace("8a88e3dd", "8a88e3"));
        assert!(text.contains("line 38") && text.contains("64 hex digits"), "{text}");
    }

    #[test]
    fn a_manifest_says_what_is_wrong_with_it() {
        let cases = [
            ("owner = \"tax\"", "owner = \"fire\"", "income belongs to fire"),
            ("id = \"base\"", "id = \"bases\"", "of kind \"base\""),
            ("id = \"cars\"", "id = \"income\"", "dataset income occurs twice"),
            ("id = \"police\"", "id = \"tax\"", "agency tax occurs twice"),
            ("\"police\", \"tax\"]", "\"police\", \"fire\"]", "[holders] names fire"),
            ("\"police\", \"tax\"]", "\"police\", \"aid\"]", "holder aid occurs twice"),
            ("threshold = 2", "threshold = 1", "1 of 3: it must be more than half"),
            ("threshold = 2", "threshold = 4", "4 of 3: it must be more than half"),
            ("quorum = 2", "quorum = 4", "[log] quorum is more"),
            ("BEGIN CERT", "BEGIN CART", "[officers] authority"),
            ("until = 2027-12-31", "until = 2027-12-31\nshare_keys = [\"\"]", "64 hex digits"),
            ("witness_key", "quota = 1\nwitness_key", "quota is for suite oprf only"),
            ("threshold = 2", "threshold = 2\nceremony = \"distributed\"", "for suite oprf only"),
        ];
        for (good, bad, expected) in cases {
            let changed = EXAMPLE.replace(good, bad);
            assert_ne!(changed, EXAMPLE, "{good}");
            let text = problem(&changed);
            assert!(text.contains(expected), "{bad}: {text}");
        }
    }

    #[test]
    fn one_key_under_two_names_is_refused() {
        let aid = EXAMPLE.lines().find(|line| line.starts_with("signing_key")).expect("there");
        let key = aid.split('"').nth(1).expect("a key");
        let police = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394";
        let text = problem(&EXAMPLE.replace(police, key));
        assert!(text.contains("signing_key of aid and the signing_key of police"), "{text}");
        let log = "884b8857f4eaa1613c61504db34d4beaf346517a0e31de3cddd4d9b4201d9d0b";
        let text = problem(&EXAMPLE.replace(police, log));
        assert!(text.contains("key of [log] and the signing_key of police"), "{text}");
    }

    #[test]
    fn with_suite_oprf_the_key_is_shared_and_everybody_has_a_quota() {
        let cases = [
            ("threshold = 2", "threshold = 1", "[\"aid\"]", "2 or more"),
            ("ceremony = \"distributed\"\n", "", "", "ceremony is missing"),
            ("quota = 1000\n", "", "", "has no quota"),
            ("share_keys", "# share_keys", "", "has 0 share_keys and there are 3 holders"),
        ];
        for (good, bad, holders, expected) in cases {
            let mut changed = oprf().replace(good, bad);
            if !holders.is_empty() {
                changed = changed.replace("[\"aid\", \"police\", \"tax\"]", holders);
            }
            let text = problem(&changed);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_manifest_that_is_written_is_read_as_the_same() {
        for text in [EXAMPLE.to_owned(), oprf()] {
            let file = ManifestFile::parse(&text).expect("good");
            assert_eq!(ManifestFile::parse(&file.to_string()), Ok(file.clone()), "{file}");
        }
    }
}

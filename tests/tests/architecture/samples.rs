//! Sample configurations are read by the programs and agree with the shipped policy, so that a city
//! that starts from them starts.

use std::{collections::BTreeSet, fs, process::Command};

use agency_adapter::{accepted_manifest, agency, secret_file};
use gateway::{authorise::Register, policy_in_force::PolicyInForce};
use proto::{
    manifest::Manifest, manifest_file::ManifestFile, schema::DatasetKind,
    signed_manifest::SignedManifest, signing::SigningKey,
};
use tests::pki::Pki;
use toml::{Table, Value};

use super::{files, text};

const MANIFEST: &str = "deploy/samples/federation.toml";

fn table(path: &str) -> Table {
    text(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn entries<'t>(table: &'t Table, key: &str) -> Vec<&'t Table> {
    let list = table.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|entry| entry.as_table().expect("a list of tables")).collect()
}

fn word<'t>(table: &'t Table, key: &str) -> &'t str {
    table.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} is missing"))
}

fn policy() -> Table {
    table("deploy/policy/default.toml")
}

#[test]
fn every_configuration_file_that_is_shipped_is_toml() {
    let shipped = files(&["deploy"], "toml");
    assert!(shipped.len() >= 5, "the samples are found");
    for (name, text) in shipped {
        let parsed = text.parse::<Table>();
        assert!(
            parsed.is_ok(),
            "{name}: {}",
            parsed.err().map(|e| e.to_string()).unwrap_or_default()
        );
    }
}

#[test]
fn the_sample_manifest_lists_what_the_default_policy_knows() {
    let manifest = Manifest::parse(&text(MANIFEST)).expect("it is good");
    let policy = policy();
    let programme = policy["programme"].as_table().expect("a table");
    assert_eq!(manifest.scope.programme.as_str(), word(programme, "id"));
    let agencies: BTreeSet<_> = manifest.agencies().map(|(id, _)| id.as_str()).collect();
    let expected = entries(&policy, "agency").into_iter().map(|agency| word(agency, "id"));
    assert_eq!(agencies, expected.collect());

    let kind = |kind| match kind {
        DatasetKind::Watch => "watch",
        DatasetKind::CrossCheck => "cross_check",
    };
    let datasets: BTreeSet<_> = manifest
        .datasets()
        .filter_map(|(id, of)| Some((id.as_str(), of.owner.as_str(), kind(of.kind?))))
        .collect();
    let expected = entries(&policy, "dataset")
        .into_iter()
        .map(|dataset| (word(dataset, "id"), word(dataset, "agency"), word(dataset, "kind")));
    assert_eq!(datasets, expected.collect());
}

#[test]
fn the_sample_gateway_dials_every_agency_and_registers_every_role() {
    let gateway = table("deploy/samples/gateway.toml");
    let dialled: BTreeSet<_> =
        entries(&gateway, "adapter").into_iter().map(|adapter| word(adapter, "agency")).collect();
    let policy = policy();
    let expected = entries(&policy, "agency").into_iter().map(|agency| word(agency, "id"));
    assert_eq!(dialled, expected.collect());

    let officers = entries(&gateway, "officer");
    let roles: BTreeSet<_> = officers
        .iter()
        .flat_map(|officer| officer["roles"].as_array().expect("a list"))
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        roles,
        BTreeSet::from([
            "administrator",
            "analyst",
            "approver",
            "auditor",
            "caseworker",
            "security",
            "supervisor"
        ])
    );
    let everywhere = officers.iter().any(|officer| word(officer, "region").is_empty());
    assert!(everywhere, "alerts without a region need somebody who sees them");
}

/// Name, bands or values, and coarser groups of a flag, as the policy declares them.
fn declared(flag: &Table) -> (String, Option<Value>, Option<Value>) {
    let values = flag.get("bands").or_else(|| flag.get("values")).cloned();
    (word(flag, "name").to_owned(), values, flag.get("coarser").cloned())
}

/// The same of a flag as an adapter computes it.
fn computed(flag: &Table) -> (String, Option<Value>, Option<Value>) {
    let bands = flag.get("bands").map(|bands| bands["lower_bounds"].clone());
    let names = flag.get("values").map(|values| values["names"].clone());
    (word(flag, "name").to_owned(), bands.or(names), flag.get("coarser").cloned())
}

#[test]
fn the_sample_adapter_publishes_the_flags_that_the_default_policy_declares() {
    let adapter = table("deploy/samples/adapter.toml");
    let policy = policy();
    for dataset in entries(&adapter, "dataset") {
        let id = word(dataset, "id");
        let known = entries(&policy, "dataset").into_iter().find(|known| word(known, "id") == id);
        let known = known.unwrap_or_else(|| panic!("the policy does not know {id}"));
        assert_eq!(word(known, "agency"), word(&adapter, "agency"), "who owns {id}");
        assert_eq!(word(known, "kind"), word(dataset, "kind"), "what {id} is");
        let flags: Vec<_> = entries(dataset, "flag").into_iter().map(computed).collect();
        let expected: Vec<_> = entries(known, "flag").into_iter().map(declared).collect();
        assert_eq!(flags, expected, "the flags of {id}");
        let household = |of: &Table| {
            let household = of.get("household")?.as_table()?;
            Some((household["max_members"].clone(), household["datasets"].clone()))
        };
        assert_eq!(household(dataset), household(known), "the household of {id}");
    }
}

const PROGRAMME: &str = "nanjing-assistance";

/// The sample manifest as somebody could use it: nobody has the keys of its placeholders, so its
/// holders get keys that are thrown away, and sign.
fn signed_manifest() -> String {
    let mut file = ManifestFile::parse(&text(MANIFEST)).expect("it is good");
    let mut keys = vec![];
    for holder in file.holders.agencies.clone() {
        let seed = secret_file::random().expect("random bytes");
        let key = SigningKey::from_seed(&seed);
        let listed = file.agencies.iter_mut().find(|agency| agency.id == holder);
        listed.expect("holders are agencies").signing_key = key.verifying_key();
        keys.push((holder, key));
    }
    let mut signed = SignedManifest::parse(&file.to_string()).expect("it is good");
    for (holder, key) in &keys {
        signed.sign(holder, key).expect("a holder");
    }
    signed.to_string()
}

/// A copy of the samples in which the files that they name are there: certificates of an authority
/// that is thrown away, a signed manifest, and the default policy.
fn complete_copy(role: &str, id: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let place = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("a file that can be written");
    };
    for name in ["adapter.toml", "ctl.toml", "gateway.toml"] {
        place(name, &text(&format!("deploy/samples/{name}")));
    }
    place("federation.toml", &signed_manifest());
    place("policy.toml", &text("deploy/policy/default.toml"));
    place("regions.csv", &text("deploy/samples/regions.csv"));
    fs::create_dir(directory.path().join("notify")).expect("made");
    for name in ["city-desk", "sms", "mail"] {
        let name = format!("notify/{name}.secret");
        place(&name, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(directory.path().join(name), mode).expect("set");
    }
    let pki = Pki::new(PROGRAMME);
    pki.write(&pki.issue(role, id), &[], &directory.path().join("tls")).expect("written");
    directory
}

#[test]
fn the_gateway_reads_the_sample_configuration_and_the_default_policy() {
    let copy = complete_copy("gateway", "gateway");
    let config = gateway::config::Config::read(&copy.path().join("gateway.toml"))
        .unwrap_or_else(|error| panic!("deploy/samples/gateway.toml: {error:#}"));
    let programme = &config.manifest.scope.programme;
    assert_eq!(programme.as_str(), PROGRAMME);
    Register::new(programme.clone(), config.officers.clone()).expect("the officers are enough");
    assert_eq!(config.targets.len(), 3, "one of each way");
    let policy = PolicyInForce::read(&config.policy, programme).expect("the policy checks");
    assert!(!policy.current().rules.is_empty());
}

#[test]
fn an_adapter_reads_the_sample_configuration_and_finds_its_datasets_in_the_sample_manifest() {
    let copy = complete_copy("agency", "public_security");
    let config = agency_adapter::config::Config::read(&copy.path().join("adapter.toml"))
        .unwrap_or_else(|error| panic!("deploy/samples/adapter.toml: {error}"));
    let signed = accepted_manifest::read(&config).expect("the manifest is good");
    agency::check_datasets(signed.manifest(), &config).expect("they agree");
    let identity = config.tls.read().expect("the files that it names").identity;
    assert_eq!(identity.to_string(), format!("spiffe://{PROGRAMME}/agency/{}", config.agency));
}

#[test]
fn gatewayctl_reads_the_sample_configuration_and_then_looks_for_the_gateway() {
    let copy = complete_copy("officer", "li-na");
    let path = copy.path().join("ctl.toml");
    let sample = fs::read_to_string(&path).expect("copied");
    // Where nobody listens: the sample's own address is for people to replace.
    let local = sample.replace("gateway.example:7000", "127.0.0.1:1");
    assert_ne!(sample, local, "the address is found");
    fs::write(&path, local).expect("written");
    let program = tests::process::binary("gatewayctl").expect("built");
    let run = Command::new(program).arg("--config").arg(&path).args(["rules", "list"]).output();
    let run = run.expect("it starts");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(4), "unreachable, and nothing else is wrong: {said}");
}

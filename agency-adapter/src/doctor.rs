//! `doctor`: everything that can be wrong before the gateway calls, checked in order, each failure
//! with how to mend it.
//!
//! Owns the order. Nothing is changed, and nothing is asked of another computer.

use std::path::Path;

use proto::{
    identity::{Identity, Party},
    manifest::{Ceremony, Manifest},
    name::{AgencyId, DatasetId},
    scope::Suite,
    signed_manifest::SignedManifest,
};

use crate::{
    accepted_manifest::{self, AcceptedManifestError},
    agency::{self, Agency},
    check::Check,
    check_state::{check_clock, check_salts, check_state_dir},
    check_tls::check_tls,
    clock::Clock,
    config::Config,
    dataset_config::DatasetConfig,
    disclosure::check::check_disclosure,
    evaluation_progress::check_roots,
    key_holder::check::check_key_holder,
    keys::Keys,
    lang::Lang,
    load::load,
    vectors::run_vectors,
    witness::status::WitnessStatus,
};

/// More refused rows than one in so many are worth a warning.
const REFUSED_ONE_IN: u64 = 100;

/// Told how far reading a source has got: dataset, bytes done, bytes in all.
pub type Progress<'p> = &'p mut dyn FnMut(&DatasetId, u64, u64);

/// Runs every check that the ones before it allow.
pub fn examine(path: &Path, clock: &Clock, lang: Lang, progress: Progress<'_>) -> Vec<Check> {
    let mut checks = vec![];
    checks.push(match run_vectors() {
        Ok(cases) => Check::ok(
            "self_test",
            lang.pick(
                format!("{cases} 组派生向量全部一致"),
                format!("{cases} derivation vectors agree"),
            ),
        ),
        Err(error) => Check::failure("self_test", error.to_string()),
    });
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            checks.push(Check::failure("config", error.to_string()));
            return checks;
        }
    };
    let count = config.datasets.len();
    checks.push(Check::ok(
        "config",
        lang.pick(
            format!("{}：{count} 个数据集", path.display()),
            format!("{}: {count} datasets", path.display()),
        ),
    ));
    checks.push(check_state_dir(&config.state_dir, lang));
    match accepted_manifest::read(&config) {
        Ok(signed) => {
            checks.extend(check_signed(&signed, lang));
            checks.extend(check_manifest(&config, signed.manifest(), clock, lang));
            let live = signed.manifest().in_live_epochs(clock.now()).into_iter();
            let agencies = live.map(|manifest| Agency::of(&config, manifest));
            let agencies: Vec<Agency> = agencies.filter_map(Result::ok).collect();
            for agency in &agencies {
                checks.extend(check_salts(&config, agency, lang));
            }
            checks.extend(check_disclosure(&config, signed.manifest(), lang));
            let witness = agencies.first();
            checks.extend(witness.map(|agency| check_witness(&config, agency, (clock, lang))));
        }
        Err(AcceptedManifestError::Unreadable(missing)) => checks.push(Check::failure("manifest", lang.pick(
            format!("{missing}：请把 public-keys 的输出交给清单保管方，将其发来的清单放在此处"),
            format!("{missing}: send the output of `public-keys` to the manifest's keeper, and put the manifest that comes back there"),
        ))),
        Err(error) => checks.push(Check::failure("manifest", error.to_string())),
    }
    for dataset in &config.datasets {
        let mut progress = |done, all| progress(&dataset.id, done, all);
        checks.push(check_source(&config, dataset, (clock, lang), &mut progress));
    }
    checks
}

/// Who stands behind the manifest, and what in it is weaker than it should be.
fn check_signed(signed: &SignedManifest, lang: Lang) -> Vec<Check> {
    let manifest = signed.manifest();
    let (version, scope, holders) = (manifest.version, &manifest.scope, manifest.holders());
    let names = |agencies: &[AgencyId]| {
        agencies.iter().map(AgencyId::as_str).collect::<Vec<_>>().join(", ")
    };
    let (signers, holding) = (names(&signed.signers()), names(&holders.agencies));
    let threshold = holders.threshold;
    let mut checks = vec![Check::ok(
        "manifest",
        lang.pick(
            format!("第 {version} 版：{scope}；已签名：{signers}；持有方（需 {threshold} 方）：{holding}"),
            format!(
                "version {version}: {scope}; signed by {signers}; holders, of whom {threshold} are \
                 needed: {holding}"
            ),
        ),
    )];
    if scope.suite == Suite::SaltedHash {
        checks.push(Check::warning("suite", lang.pick(
            "salted-hash 是较弱的方案：任何拿到盐值的人都能离线逐个试出证件号码。正式使用请采用 oprf",
            "salted-hash is the weaker suite: whoever gets a salt can try out identifiers offline. A real deployment uses oprf",
        )));
    }
    if holders.ceremony == Some(Ceremony::TrustedDealer) {
        checks.push(Check::warning("ceremony", lang.pick(
            "密钥份额由一方分发（trusted-dealer），该方曾掌握完整密钥。仅可用于演示",
            "the key's shares were dealt by one party (trusted-dealer), which had the whole key. For a demo only",
        )));
    }
    checks
}

fn check_manifest(config: &Config, manifest: &Manifest, clock: &Clock, lang: Lang) -> Vec<Check> {
    let scope = &manifest.scope;
    let mut checks = check_roots(&config.state_dir, manifest, lang);
    let keys = Keys::read(&config.state_dir);
    let same = keys.map(|keys| agency::check_keys(manifest, &config.agency, &keys.public()));
    checks.push(match same {
        Ok(Ok(())) => Check::ok("keys", lang.pick("与清单一致", "as in the manifest")),
        Ok(Err(error)) => Check::failure("keys", error.to_string()),
        Err(error) => Check::failure("keys", error.to_string()),
    });
    checks.push(match agency::check_datasets(manifest, config) {
        Ok(()) => Check::ok("datasets", lang.pick("与清单一致", "as in the manifest")),
        Err(error) => Check::failure("datasets", error.to_string()),
    });
    let programme = scope.programme.clone();
    let expected = Identity { programme, party: Party::Agency(config.agency.clone()) };
    checks.push(check_tls(&config.tls, &expected, clock.now(), lang));
    checks.push(check_clock(&config.manifest, clock.now(), lang));
    checks.extend(check_key_holder(config, manifest, lang));
    checks
}

fn check_witness(config: &Config, agency: &Agency, (clock, lang): (&Clock, Lang)) -> Check {
    match WitnessStatus::read(config, agency, clock.now()) {
        Ok(status) => status.check(lang),
        Err(error) => Check::failure("witness", error.to_string()),
    }
}

fn check_source(
    config: &Config,
    dataset: &DatasetConfig,
    (clock, lang): (&Clock, Lang),
    progress: &mut dyn FnMut(u64, u64),
) -> Check {
    let subject = format!("source {}", dataset.id);
    let report = match load(dataset, &config.directory, clock.today(), progress) {
        Ok(load) => load.report,
        Err(error) => return Check::failure(subject, error.text(lang)),
    };
    let (persons, refused) = (report.persons, report.refused_rows());
    let found = lang.pick(
        format!("{} 行，{persons} 人，未采用 {refused} 行", report.rows),
        format!("{} rows, {persons} people, {refused} rows refused", report.rows),
    );
    let many = refused.saturating_mul(REFUSED_ONE_IN) > report.rows;
    if many || persons == 0 {
        Check::warning(subject, format!("{found}\n{}", report.table(lang)))
    } else {
        Check::ok(subject, found)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proto::manifest_file::EntryKind;

    use super::*;
    use crate::{check::Verdict, fixture};

    const CONFIG: &str = r#"
agency = "aid"
listen = "127.0.0.1:0"
state_dir = "state"
manifest = "federation.toml"
reload_every = "15m"
[tls]
certificate = "certificate.pem"
key = "key.pem"
trust = "trust.pem"
"#;

    fn verdict(checks: &[Check], subject: &str) -> Option<Verdict> {
        checks.iter().find(|check| check.subject == subject).map(|check| check.verdict)
    }

    #[test]
    fn a_new_agency_is_led_from_one_thing_to_mend_to_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("adapter.toml");
        let clock = Clock::system();
        let examine = || examine(&path, &clock, Lang::En, &mut |_, _, _| {});
        assert_eq!(verdict(&examine(), "config"), Some(Verdict::Failure));

        fs::write(&path, CONFIG).expect("written");
        let checks = examine();
        assert_eq!(verdict(&checks, "config"), Some(Verdict::Ok));
        assert_eq!(verdict(&checks, "state_dir"), Some(Verdict::Failure));
        assert_eq!(verdict(&checks, "manifest"), Some(Verdict::Failure));

        let config = Config::read(&path).expect("good");
        let keys = crate::setup::init(&config, &Clock::system(), Lang::En).expect("made").keys;
        let base = ("base", "aid", EntryKind::Base);
        let manifest = fixture::manifest(&[("aid", keys)], &[base]);
        fs::write(&config.manifest, manifest.to_string()).expect("written");
        assert_eq!(verdict(&examine(), "manifest"), Some(Verdict::Failure), "nobody signed it");
        fixture::sign(&config, &manifest);
        let checks = examine();
        assert_eq!(verdict(&checks, "keys"), Some(Verdict::Ok));
        assert_eq!(verdict(&checks, "tls"), Some(Verdict::Failure));
        let salts: Vec<_> = checks.iter().filter(|check| check.subject == "salts").collect();
        assert!(salts[1].found.contains("run `agency-adapter init`"), "{salts:?}");

        crate::setup::init(&config, &Clock::system(), Lang::En).expect("made");
        let checks = examine();
        let failures = checks.iter().filter(|check| check.verdict == Verdict::Failure);
        assert_eq!(failures.map(|check| check.subject.as_str()).collect::<Vec<_>>(), ["tls"]);
        assert_eq!(verdict(&checks, "suite"), Some(Verdict::Warning), "the weaker one");
    }
}

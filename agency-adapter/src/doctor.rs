//! `doctor`: everything that can be wrong before the gateway calls, checked in order, each failure
//! with how to mend it.
//!
//! Owns the order. Nothing is changed, and nothing is asked of another computer.

use std::path::Path;

use proto::{
    identity::{Identity, Party},
    manifest::Manifest,
    name::DatasetId,
};

use crate::{
    agency::{self, Agency, AgencyError},
    check::Check,
    check_state::{check_clock, check_salts, check_state_dir},
    check_tls::check_tls,
    clock::Clock,
    config::Config,
    dataset_config::DatasetConfig,
    derive::Derivation,
    keys::Keys,
    lang::Lang,
    load::load,
    vectors::run_vectors,
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
    match agency::read_manifest(&config) {
        Ok(manifest) => checks.extend(check_manifest(&config, &manifest, clock, lang)),
        Err(AgencyError::Config(missing)) => checks.push(Check::failure("manifest", lang.pick(
            format!("{missing}：请把 public-keys 的输出交给清单保管方，将其发来的清单放在此处"),
            format!("{missing}: send the output of `public-keys` to the manifest's keeper, and put the manifest that comes back there"),
        ))),
        Err(error) => checks.push(Check::failure("manifest", error.to_string())),
    }
    for agency in Agency::open_live(&config, clock).into_iter().flatten() {
        checks.extend(check_salts(&config, &agency, lang));
    }
    for dataset in &config.datasets {
        let mut progress = |done, all| progress(&dataset.id, done, all);
        checks.push(check_source(&config, dataset, (clock, lang), &mut progress));
    }
    checks
}

fn check_manifest(config: &Config, manifest: &Manifest, clock: &Clock, lang: Lang) -> Vec<Check> {
    let scope = &manifest.scope;
    let version = manifest.version;
    let mut checks = vec![match Derivation::computed(scope) {
        Ok(_) => Check::ok(
            "manifest",
            lang.pick(format!("第 {version} 版：{scope}"), format!("version {version}: {scope}")),
        ),
        Err(error) => Check::failure("manifest", error.to_string()),
    }];
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
    checks
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

    use proto::{manifest_file::EntryKind, scope::Suite};

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
        let mut manifest = fixture::manifest(&[("aid", keys)], &[base]);
        fs::write(&config.manifest, manifest.to_string()).expect("written");
        let checks = examine();
        assert_eq!(verdict(&checks, "keys"), Some(Verdict::Ok));
        assert_eq!(verdict(&checks, "tls"), Some(Verdict::Failure));
        let salts: Vec<_> = checks.iter().filter(|check| check.subject == "salts").collect();
        assert!(salts[1].found.contains("run `agency-adapter init`"), "{salts:?}");

        crate::setup::init(&config, &Clock::system(), Lang::En).expect("made");
        let checks = examine();
        let failures = checks.iter().filter(|check| check.verdict == Verdict::Failure);
        assert_eq!(failures.map(|check| check.subject.as_str()).collect::<Vec<_>>(), ["tls"]);

        manifest.suite = Suite::Oprf;
        fs::write(&config.manifest, manifest.to_string()).expect("written");
        assert_eq!(verdict(&examine(), "manifest"), Some(Verdict::Failure));
    }
}

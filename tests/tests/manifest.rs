//! The federation manifest as people make it, with the real programs: blocks, draft, signatures, and
//! what does not start without them.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use proto::{manifest_file::ManifestFile, scope::Suite};
use tests::{
    deployment::Deployment, federation::publish, oracle::random::SMALL_POLICY, process::binary,
};

const AGENCIES: [&str; 3] = ["aid", "police", "tax"];

/// Runs a program in a directory.
fn run(program: &str, directory: &Path, arguments: &[&str]) -> Output {
    let program = binary(program).expect("built");
    let run = Command::new(program).current_dir(directory).args(arguments).output();
    run.expect("it starts")
}

/// What it printed, where it did what it was asked to.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn told(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn on_day_one_agencies_send_blocks_the_keeper_drafts_and_the_holders_sign() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let example = include_str!("../../proto/vectors/federation.toml");
    let mut pieces = vec![];
    for agency in AGENCIES {
        let text = format!(
            "agency = \"{agency}\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"{agency}\"\n\
             manifest = \"federation.toml\"\nreload_every = \"15m\"\n\
             tls = {{ certificate = \"c\", key = \"k\", trust = \"t\" }}\n"
        );
        fs::write(at(&format!("adapter-{agency}.toml")), text).expect("written");
        let config = format!("adapter-{agency}.toml");
        let block = run("agency-adapter", directory.path(), &["--config", &config, "init"]);
        let piece = format!("{agency}.toml");
        fs::write(at(&piece), printed(&block)).expect("written");
        pieces.push(piece);
    }
    let (head, rest) = example.split_once("[[agency]]").expect("there");
    let datasets = &rest[rest.find("[[dataset]]").expect("there")..];
    fs::write(at("keeper.toml"), format!("{head}{datasets}")).expect("written");

    let adapter = |agency: &str, arguments: &[&str]| {
        let config = format!("adapter-{agency}.toml");
        let arguments = [&["--lang", "en", "--config", &config, "manifest"], arguments].concat();
        run("agency-adapter", directory.path(), &arguments)
    };
    let mut draft = vec!["draft", "keeper.toml"];
    draft.extend(pieces.iter().map(String::as_str));
    fs::write(at("federation.toml"), printed(&adapter("aid", &draft))).expect("written");

    let refused = told(&adapter("aid", &["sign", "federation.toml"]));
    assert!(refused.contains("not confirmed"), "nobody is at a terminal: {refused}");
    printed(&adapter("aid", &["sign", "federation.toml", "--yes"]));
    let verified = adapter("tax", &["verify"]);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(1), "one of two is not enough: {text}");
    assert!(text.contains("not signed by: police, tax"), "{text}");
    printed(&adapter("police", &["sign", "federation.toml", "--yes"]));
    for agency in AGENCIES {
        let text = printed(&adapter(agency, &["verify"]));
        assert!(text.contains("signed by: aid, police") && text.contains("accepted"), "{text}");
        let config = format!("adapter-{agency}.toml");
        printed(&run("agency-adapter", directory.path(), &["--config", &config, "init"]));
        assert!(at(agency).join("manifest.accepted").exists());
    }
    let shown = printed(&adapter("aid", &["show"]));
    assert!(shown.contains("programme demo") && shown.contains("datasets: cars"), "{shown}");
}

#[test]
fn no_program_goes_by_a_manifest_that_too_few_signed_or_that_is_older() {
    let directory = tempfile::tempdir().expect("a directory");
    let dir = directory.path();
    let deployment = Deployment::create(dir, SMALL_POLICY, Suite::SaltedHash, |_| String::new())
        .expect("a federation");
    let nowhere = "127.0.0.1:1".parse().expect("an address");
    let adapters: BTreeMap<_, _> =
        deployment.agencies().into_iter().map(|id| (id, nowhere)).collect();
    deployment.gateway_config(&adapters).expect("written");
    let signed = fs::read_to_string(dir.join("federation.toml")).expect("there");
    let (body, _) = signed.rsplit_once("\n\n").expect("signatures");
    let agency = deployment.agencies().remove(0);
    let gateway = || run("gateway", dir, &["--config", "gateway/gateway.toml", "check"]);
    let config = deployment.adapter_config(&agency);
    let config = config.to_str().expect("UTF-8");
    let adapter = || run("agency-adapter", dir, &["--config", config, "init"]);
    printed(&gateway());
    printed(&adapter());

    fs::write(dir.join("federation.toml"), format!("{body}\n")).expect("written");
    for refused in [told(&gateway()), told(&adapter())] {
        assert!(refused.contains("it needs the signatures of"), "{refused}");
    }

    let first = ManifestFile::parse(body).expect("good");
    publish(dir, &ManifestFile { version: 2, ..first.clone() }).expect("written");
    printed(&adapter());
    publish(dir, &first).expect("written");
    let refused = told(&adapter());
    assert!(refused.contains("it is version 1, and version 2 was accepted"), "{refused}");
}

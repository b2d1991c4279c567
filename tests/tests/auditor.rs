//! An auditor's first day with the real program: everything is verified, and what was changed is found.

use std::path::Path;

use tests::{
    deployment::{AUDITOR, CITY_DESK, Staff},
    process::binary,
    world::World,
};

use crate::audit::settled;

/// `gatewayctl` in a world: exit code, standard output, standard error.
async fn ctl(world: &World, staff: &Staff, arguments: &[&str]) -> (Option<i32>, String, String) {
    let said = tests::ctl::ctl(&world.deployment, staff, world.gateway_address(), arguments);
    let said = said.await.expect("it runs");
    (said.code, said.out, said.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_auditors_first_day_as_the_program_has_it() {
    let (_, mut world) = settled(66).await;
    let alert = world.desk().await.expect("desk").alerts().await.expect("alerts")[0].id.clone();
    let manifest = world.deployment.dir.join("federation.toml");
    let manifest = manifest.to_str().expect("text").to_owned();
    let receipt = world.deployment.dir.join("receipt");
    let receipt = receipt.to_str().expect("text").to_owned();
    let keys = ["--manifest", &manifest];
    // Witnesses cosign within seconds.
    let verify = || {
        let arguments = [&["audit", "verify"][..], &keys].concat();
        let world = &world;
        async move { Ok(ctl(world, &AUDITOR, &arguments).await) }
    };
    world.until(verify, |(code, ..)| *code == Some(0)).await.expect("the log is whole");

    // What was just shown is found once witnesses have cosigned it.
    let search = || {
        let search = ["audit", "search", "--officer", "city-desk", "--alert", &alert];
        let arguments = [&search[..], &keys].concat();
        let world = &world;
        async move { Ok(ctl(world, &AUDITOR, &arguments).await) }
    };
    let found = |(code, out, _): &(Option<i32>, String, String)| {
        *code == Some(0) && out.contains("alerts listed") && out.contains("Proved")
    };
    world.until(search, found).await.expect("who looked is found");
    let json = ["--json", "audit", "search", "--action", "started"];
    let (_, out, err) = ctl(&world, &AUDITOR, &[&json[..], &keys].concat()).await;
    let found: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!(found["entries"][0]["index"], 0);
    assert!(found["witnesses"].as_u64() >= found["quorum"].as_u64(), "{found}");

    let (code, proof, err) =
        ctl(&world, &AUDITOR, &[&["audit", "prove", "0"][..], &keys].concat()).await;
    assert_eq!(code, Some(0), "{err}");
    std::fs::write(&receipt, proof).expect("written");
    let check = [&["receipt", "verify", &receipt][..], &keys].concat();
    let (code, out, err) = ctl(&world, &AUDITOR, &check).await;
    assert!(code == Some(0) && out.contains("The receipt is good"), "{out}{err}");

    let (code, report, _) =
        ctl(&world, &AUDITOR, &[&["audit", "report"][..], &keys].concat()).await;
    assert!(
        code == Some(0) && report.contains("city-desk") && report.contains("median"),
        "{report}"
    );
    let export = ["audit", "export", "--format", "csv", "--action", "sync_accepted"];
    let (code, csv, _) = ctl(&world, &AUDITOR, &[&export[..], &keys].concat()).await;
    assert!(code == Some(0) && csv.starts_with("index,at,by") && csv.lines().count() > 3, "{csv}");
    let (code, ..) = ctl(&world, &CITY_DESK, &[&["audit", "verify"][..], &keys].concat()).await;
    assert_eq!(code, Some(1), "the log is the auditor's");

    let data = world.deployment.dir.join("gateway/data");
    let (log, copy) = (data.join("log"), data.to_str().expect("text").to_owned());
    let address = world.gateway_address();
    world.stop_gateway().await.expect("stopped");
    let config = world.deployment.ctl_config(&AUDITOR, address).expect("written");
    let offline = async || {
        let state = config.with_file_name("fresh");
        let output = tokio::process::Command::new(binary("gatewayctl").expect("built"))
            .args(["--lang", "zh", "audit", "verify", "--tiles", &copy, "--state"])
            .arg(&state)
            .args(keys)
            .env("HOME", config.parent().expect("a directory"))
            .output()
            .await
            .expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(offline().await, (Some(0), String::new()));
    let entries = log.join("tile/entries");
    for file in files(&entries) {
        let mut bytes = std::fs::read(&file).expect("read");
        bytes[9] ^= 1;
        std::fs::write(&file, bytes).expect("written");
    }
    let (code, err) = offline().await;
    assert!(code == Some(5) && err.contains("未通过核验"), "{code:?} {err}");
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

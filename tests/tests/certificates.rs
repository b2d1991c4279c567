//! Who is not let in, and that both sides say which check failed.

use std::{net::SocketAddr, path::Path, time::Duration};

use proto::{
    identity::{Identity, Party},
    tls::{Tls, TlsPem},
    transport::{self, Target},
    wire::{
        self, adapter_service_client::AdapterServiceClient,
        match_service_client::MatchServiceClient,
    },
};
use tests::{
    pki::{IssuedPem, Pki},
    process::Manner,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::Channel;

use crate::{machines::Machines, town::agency};

/// Dials with this certificate, of which this authority is trusted by the caller.
async fn dial(
    (trust, issued): (&Pki, &IssuedPem),
    address: SocketAddr,
    party: Party,
) -> Result<Channel, String> {
    let tls = Tls::from_pem(&TlsPem {
        certificate: issued.certificate.as_bytes(),
        key: issued.key.as_bytes(),
        trust: trust.trust_pem().as_bytes(),
        revoked: None,
    });
    let identity = Identity { programme: "small".parse().expect("a name"), party };
    let target = Target { address: address.to_string(), server_name: "localhost".into(), identity };
    transport::connect(target, tls.expect("usable files").client).await
}

/// What a refused caller is told.
fn words(status: &tonic::Status) -> String {
    format!("{} {}", status.message(), transport::root_cause(status))
}

async fn calls_adapter(caller: (&Pki, &IssuedPem), address: SocketAddr) -> String {
    match dial(caller, address, Party::Agency(agency("police"))).await {
        Err(problem) => problem,
        Ok(channel) => {
            let call = wire::DescribeRequest { scope: None };
            let answer = AdapterServiceClient::new(channel).describe(call).await;
            words(&answer.expect_err("nobody is let in"))
        }
    }
}

async fn calls_gateway(caller: (&Pki, &IssuedPem), address: SocketAddr) -> String {
    match dial(caller, address, Party::Gateway(agency("gateway"))).await {
        Err(problem) => problem,
        Ok(channel) => {
            let call = wire::ListAlertsRequest::default();
            let answer = MatchServiceClient::new(channel).list_alerts(call).await;
            words(&answer.expect_err("nobody is let in"))
        }
    }
}

fn assert_says(text: &str, words: &[&str]) {
    let lower = text.to_lowercase();
    assert!(words.iter().all(|word| lower.contains(word)), "{words:?} in: {text}");
}

/// Waits until the log has a new line with these words; returns where it ends.
async fn logged(log: &Path, from: usize, words: &[&str]) -> usize {
    for _ in 0..200 {
        let text = std::fs::read_to_string(log).expect("a log");
        let found = text[from..].lines().any(|line| {
            let line = line.to_lowercase();
            words.iter().all(|word| line.contains(word))
        });
        if found {
            return text.len();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = std::fs::read_to_string(log).expect("a log");
    panic!("no line with {words:?} in the log:\n{}", &text[from..]);
}

/// A list that revokes this certificate, for one party.
fn revoke(pki: &Pki, issued: &IssuedPem, home: &Path) {
    let list = pki.revoked_pem(&[issued.serial]);
    std::fs::write(home.join("tls/revoked.pem"), list).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_is_refused_and_both_sides_say_which_check_failed() {
    let mut stolen = None;
    let mut fired = None;
    let mut machines = Machines::start(Manner::default(), |town| {
        let (pki, dir) = (&town.world.deployment.pki, &town.world.deployment.dir);
        let (gateway, officer) =
            (pki.issue("gateway", "gateway"), pki.issue("officer", "city-desk"));
        revoke(pki, &gateway, &dir.join("police"));
        revoke(pki, &officer, &dir.join("gateway"));
        (stolen, fired) = (Some(gateway), Some(officer));
    })
    .await;
    machines.come_to(false, &[]).await;
    let (pki, dir) = (&machines.town.world.deployment.pki, &machines.town.world.deployment.dir);
    let stranger = Pki::new("elsewhere");
    let (stolen, fired) = (stolen.expect("issued"), fired.expect("issued"));

    let (police, log) = (&machines.adapters[&agency("police")], dir.join("police/adapter.log"));
    let callers: [(IssuedPem, &[&str], &[&str]); 6] = [
        (pki.issue_expired("gateway", "gateway"), &["expired"], &["expired"]),
        (stranger.issue_for("small", "gateway", "gateway"), &["unknownca"], &["unknownissuer"]),
        (stolen, &["revoked"], &["revoked"]),
        (
            pki.issue("officer", "city-desk"),
            &["only the programme's gateway"],
            &["officer/city-desk"],
        ),
        (pki.issue("agency", "aid"), &["only the programme's gateway"], &["agency/aid"]),
        (pki.issue_for("big", "gateway", "gateway"), &["only the programme's"], &["spiffe://big/"]),
    ];
    let mut from = 0;
    for (caller, told, noted) in &callers {
        assert_says(&calls_adapter((pki, caller), police.address).await, told);
        from = logged(&log, from, &[&["refused"], *noted].concat()).await;
    }

    let (gateway, log) = (machines.gateway.address, dir.join("gateway/gateway.log"));
    let permit = &["does not permit this call"][..];
    let callers: [(IssuedPem, &[&str], &[&str]); 6] = [
        (pki.issue_expired("officer", "city-desk"), &["expired"], &["expired"]),
        (stranger.issue_for("small", "officer", "city-desk"), &["unknownca"], &["unknownissuer"]),
        (fired, &["revoked"], &["revoked"]),
        (pki.issue("agency", "aid"), permit, &["not an officer"]),
        (pki.issue_for("big", "officer", "city-desk"), permit, &["of another programme"]),
        (pki.issue("officer", "nobody"), permit, &["not registered"]),
    ];
    let mut from = 0;
    for (caller, told, noted) in &callers {
        assert_says(&calls_gateway((pki, caller), gateway).await, told);
        from = logged(&log, from, &[&["refused"], *noted].concat()).await;
    }

    // Whoever dials the wrong party says whom it found.
    let wrong = dial((pki, &callers[3].0), gateway, Party::Agency(agency("police"))).await;
    let wrong = wrong.expect_err("the gateway is no agency");
    assert_says(
        &wrong,
        &["spiffe://small/gateway/gateway", "spiffe://small/agency/police was expected"],
    );

    for address in [gateway, police.address] {
        no_plain_text(address).await;
    }
    machines.come_to(false, &[]).await;
}

/// Speaks without TLS, and gets nothing but the end of the connection.
async fn no_plain_text(address: SocketAddr) {
    for said in
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    {
        let mut connection = tokio::net::TcpStream::connect(address).await.expect("connected");
        connection.write_all(said).await.expect("sent");
        let mut answer = vec![];
        // A reset is an end, too.
        let _ = connection.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer[0] == 0x15 && answer.len() < 16, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_with_a_wrong_certificate_is_not_listened_to() {
    let stranger = Pki::new("elsewhere");
    let mut machines = Machines::start(Manner::default(), |town| {
        let (pki, dir) = (&town.world.deployment.pki, &town.world.deployment.dir);
        let old = pki.issue_expired("agency", "police");
        pki.write(&old, &[], &dir.join("police/tls")).expect("written");
        let foreign = stranger.issue_for("small", "agency", "aid");
        pki.write(&foreign, &[], &dir.join("aid/tls")).expect("written");
    })
    .await;
    let dir = machines.town.world.deployment.dir.clone();
    let told = [("police", "expired", "expired"), ("aid", "unknownissuer", "unknownca")];
    for (id, word, alert) in told {
        let line = loop {
            let request = wire::ListAgenciesRequest {};
            let answer = machines.admin.admin.list_agencies(request).await.expect("asked");
            let agencies = answer.into_inner().agencies;
            let line = agencies.into_iter().find(|line| line.agency == id).expect("listed");
            if !line.problem.is_empty() {
                break line;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(!line.connected);
        assert_says(&line.problem, &[word]);
        logged(&dir.join("gateway/gateway.log"), 0, &[id, word]).await;
        logged(&dir.join(id).join("adapter.log"), 0, &["refused", alert]).await;
    }
    assert!(machines.desk.alerts().await.expect("asked").is_empty());
}

//! A key holder as a real process, asked over real TLS: what a crash does to quotas and answers.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use agency_adapter::{
    keys::Keys,
    oprf::{Blinding, Evaluation as Answer, ShareKeys},
};
use proto::{
    evaluation::{Element, Evaluation, EvaluationRequest},
    fault::reason_of,
    identity::{Identity, Party},
    manifest::{Ceremony, Manifest},
    manifest_file::ManifestFile,
    name::AgencyId,
    scope::Suite,
    signed_manifest::SignedManifest,
    tls::{Tls, TlsPem},
    transport::{self, Target},
    wire::key_holder_service_client::KeyHolderServiceClient,
};
use tests::{pki::Pki, process::Process, shared_key};
use tonic::{Status, transport::Channel};

use crate::town::agency;

const EXAMPLE: &str = include_str!("../../proto/vectors/federation.toml");
const QUOTA: u64 = 3000;
const LOOK: Duration = Duration::from_millis(2);

/// The example's three holders, of which `tax` runs; `aid` asks it.
struct Holder {
    directory: tempfile::TempDir,
    pki: Pki,
    manifest: Manifest,
    process: Process,
}

impl Holder {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let pki = Pki::new("demo");
        let state = |id: &AgencyId| directory.path().join(id.as_str()).join("state");
        let mut draft = ManifestFile::parse(EXAMPLE).expect("good");
        draft.suite = Suite::Oprf;
        draft.holders.ceremony = Some(Ceremony::Distributed);
        for listed in &mut draft.agencies {
            let (keys, _) = Keys::create(&state(&listed.id)).expect("made");
            listed.signing_key = keys.signing.verifying_key();
            listed.hpke_key = keys.hpke.public();
            listed.witness_key = keys.witness.verifying_key();
            listed.quota = QUOTA;
        }
        let home = directory.path();
        shared_key::hold_ceremony(home, &draft).expect("held");
        let keys = shared_key::share_keys(home, &draft.holders.agencies, 1);
        draft.epochs[0].share_keys = keys.expect("held");
        let mut signed = SignedManifest::parse(&draft.to_string()).expect("good");
        for id in ["aid", "police"].map(agency) {
            let key = Keys::read(&state(&id)).expect("made").signing;
            signed.sign(&id, &key).expect("a holder");
        }
        let home = home.join("tax");
        fs::write(home.join("federation.toml"), signed.to_string()).expect("written");
        pki.write(&pki.issue("agency", "tax"), &[], &home.join("tls")).expect("written");
        let text = "agency = \"tax\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"state\"\n\
                    manifest = \"federation.toml\"\nreload_every = \"15m\"\n[tls]\n\
                    certificate = \"tls/certificate.pem\"\nkey = \"tls/key.pem\"\n\
                    trust = \"tls/trust.pem\"\n";
        let config = home.join("adapter.toml");
        fs::write(&config, text).expect("written");
        let process = Process::start("agency-adapter", &config).await.expect("started");
        Self { manifest: signed.manifest().clone(), directory, pki, process }
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("tax")
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.home().join("state/key-holder/journal")).expect("readable")
    }

    /// Kills it as a power failure would, and starts it again.
    async fn killed(self) -> Self {
        let config = self.home().join("adapter.toml");
        let Self { directory, pki, manifest, process } = self;
        process.kill().await.expect("killed");
        let process = Process::start("agency-adapter", &config).await.expect("started");
        Self { directory, pki, manifest, process }
    }

    /// A connection with the gateway's certificate.
    async fn gateway(&self) -> KeyHolderServiceClient<Channel> {
        let issued = self.pki.issue("gateway", "gateway");
        connect(&self.pki, &issued, self.process.address).await
    }

    async fn ask(&self, request: &EvaluationRequest) -> Result<Evaluation, Status> {
        let carried = proto::wire::EvaluationRequest::from(request);
        let answer = self.gateway().await.evaluate(carried).await?;
        Ok(answer.into_inner().try_into().expect("well formed"))
    }

    fn request(&self, number: u64, elements: Vec<Element>) -> EvaluationRequest {
        let key = Keys::read(&self.directory.path().join("aid/state")).expect("made").signing;
        let (from, to) = (agency("aid"), agency("tax"));
        EvaluationRequest::sign(&self.manifest.scope, (&from, &key), (&to, number), elements)
            .expect("well formed")
    }

    fn blinding(&self, count: u32) -> Blinding {
        let keys = ShareKeys::new(2, &self.manifest.epoch().share_keys).expect("one key");
        let inputs: Vec<[u8; 4]> = (0..count).map(u32::to_be_bytes).collect();
        Blinding::new(keys.into(), &inputs).expect("random numbers")
    }
}

async fn connect(
    pki: &Pki,
    issued: &tests::pki::IssuedPem,
    address: SocketAddr,
) -> KeyHolderServiceClient<Channel> {
    let tls = Tls::from_pem(&TlsPem {
        certificate: issued.certificate.as_bytes(),
        key: issued.key.as_bytes(),
        trust: pki.trust_pem().as_bytes(),
        revoked: None,
    });
    let identity = Identity {
        programme: "demo".parse().expect("a name"),
        party: Party::Agency(agency("tax")),
    };
    let target = Target { address: address.to_string(), server_name: "localhost".into(), identity };
    let channel = transport::connect(target, tls.expect("usable").client).await;
    KeyHolderServiceClient::new(channel.expect("connected"))
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    reason_of(&answer.expect_err("refused")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_and_a_replay_survive_kill_9() {
    let holder = Holder::start().await;
    let mut blinding = holder.blinding(2000);
    let batch = holder.request(7, blinding.elements().to_vec());
    let answer = holder.ask(&batch).await.expect("answered");

    let holder = holder.killed().await;
    assert_eq!(holder.ask(&batch).await.expect("a replay is free"), answer);
    let other = holder.blinding(2000).elements().to_vec();
    assert_eq!(reason(holder.ask(&holder.request(8, other.clone())).await), "QUOTA_EXCEEDED");
    assert_eq!(reason(holder.ask(&holder.request(7, other.clone())).await), "REPLAY_MISMATCH");
    let rest = other[..1000].to_vec();
    holder.ask(&holder.request(8, rest)).await.expect("the quota's last");
    let Evaluation { elements, proof } = holder.ask(&batch).await.expect("still free");
    let index = holder.manifest.holder_index(&agency("tax")).expect("a holder");
    blinding.accept(index, &Answer { elements, proof }).expect("proven under the pinned key");
    assert_eq!(holder.journal().matches(" evaluated ").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_the_crash_took_is_counted_once() {
    let holder = Holder::start().await;
    let batch = holder.request(1, holder.blinding(2000).elements().to_vec());
    let mut gateway = holder.gateway().await;
    let carried = proto::wire::EvaluationRequest::from(&batch);
    let asked = tokio::spawn(async move { gateway.evaluate(carried).await });
    while !holder.journal().contains(" evaluated ") {
        tokio::time::sleep(LOOK).await;
    }
    let holder = holder.killed().await;
    // Whether the answer was faster than the signal is not known; nobody needs to know.
    drop(asked.await.expect("no panic"));
    holder.ask(&batch).await.expect("answered");
    let rest = holder.blinding(1000).elements().to_vec();
    holder.ask(&holder.request(2, rest)).await.expect("2000 are used, not 4000");
    let one_more = holder.blinding(1).elements().to_vec();
    assert_eq!(reason(holder.ask(&holder.request(3, one_more)).await), "QUOTA_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_gateway_may_bring_a_request() {
    let holder = Holder::start().await;
    let batch = holder.request(1, holder.blinding(1).elements().to_vec());
    let issued = holder.pki.issue("agency", "aid");
    let mut direct = connect(&holder.pki, &issued, holder.process.address).await;
    let refused = direct.evaluate(proto::wire::EvaluationRequest::from(&batch)).await;
    assert_eq!(reason(refused), "NOT_PERMITTED");
    holder.ask(&batch).await.expect("the same by the gateway");
}

//! An agency with a watch dataset, officers with certificates, and a log with a witness: what a good request
//! needs, and every part of it to be spoilt.

use std::{fs, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use proto::{
    act::Act,
    checkpoint::Checkpoint,
    contact::ContactField,
    cosignature::cosign,
    disclosure::{Application, OfficerSignature, approval_bytes, request_bytes},
    disclosure_request::{DisclosureRequest, LegalBasis, Purpose},
    entry::{Actor, Entry},
    envelope::EnvelopePrivateKey,
    fault::{Reason, reason_of},
    hex_bytes::HexBytes,
    identity::Identity,
    log_proof::LogProof,
    manifest_file::{EntryKind, ManifestFile},
    merkle::{Hash, TreeHead},
    name::{AgencyId, DatasetId},
    officer_key::OfficerKey,
    quorum::{origin, witness_name},
    signing::{SigningKey, VerifyingKey},
    subject::Subject,
    wire::{self, discloser_service_server::DiscloserService as _},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevocationReason,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use zeroize::Zeroizing;

use super::super::{discloser::Discloser, service::Disclosing};
use crate::{
    clock::Clock,
    config::Config,
    derive::Derivation,
    epochs::Epochs,
    fixture,
    identifier::{IdentifierType, canonicalise},
    keys::Keys,
    publication::Reload,
    witness::cosigning::Witness,
};

/// Somebody in the dataset.
pub const WANG: &str = "320102198001010016";
/// Somebody in it who is marked as vulnerable.
pub const GUARDED: &str = "32010419550615003X";
/// Somebody of whom only another agency knows.
pub const ELSEWHERE: &str = "320102198001010024";

const POLICY: &str = r#"
[dataset.disclosure]
columns = { name = "name", address = "address" }
hours = "08:00-20:00"
per_officer_per_day = 2
emergency = true
vulnerable = { column = "guard", equals = "yes" }
"#;

/// All of it.
pub struct Scene {
    pub config: Config,
    pub people: PathBuf,
    pub clock: Clock,
    pub epochs: Arc<Epochs>,
    pub authority: Authority,
    pub log: SigningKey,
    /// Whether the witness cosigns.
    pub witnessed: bool,
    service: Disclosing,
    _directory: tempfile::TempDir,
}

/// Issues officers' certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// The key to which an officer has answers encrypted.
pub fn officer_key(byte: u8) -> EnvelopePrivateKey {
    EnvelopePrivateKey::from_bytes(&Zeroizing::new([byte; 32]))
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("random numbers");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).expect("good").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Whoever this URI names, until a year.
    pub fn issue(&self, uri: &str, serial: u64, until: i32) -> OfficerKey {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("random numbers");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("good").pem();
        OfficerKey::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes()).expect("good")
    }

    /// An officer of the programme.
    pub fn officer(&self, id: &str) -> OfficerKey {
        self.issue(&format!("spiffe://demo/officer/{id}"), 1, 2099)
    }

    /// A list with one serial number.
    pub fn revoked(&self, serial: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("good").pem().expect("a list has a PEM form")
    }
}

impl Scene {
    pub fn new() -> Self {
        Self::under(POLICY)
    }

    /// With another policy.
    pub fn under(policy: &str) -> Self {
        let (directory, people, config, clock) = fixture::agency();
        let path = directory.path().join("adapter.toml");
        let text = fs::read_to_string(&path).expect("read");
        let (before, after) = text.rsplit_once("[[dataset]]").expect("two datasets");
        fs::write(&path, format!("{before}{policy}[[dataset]]{after}")).expect("written");
        let rows = format!(
            "id,house,name,address,guard\n{WANG},7,王建国,虚构路 1 号,\n\
             {GUARDED},7,赵某,虚构路 2 号,yes\n{WANG},7,王建国,,no\n"
        );
        fs::write(&people, rows).expect("written");
        let authority = Authority::new();
        let log = SigningKey::from_seed(&Zeroizing::new([6; 32]));
        let signed = crate::accepted_manifest::parse(&config.manifest).expect("written before");
        let mut file = ManifestFile::parse(signed.body()).expect("good");
        file.version += 1;
        file.officers.authority.clone_from(&authority.pem);
        file.log.key = log.verifying_key();
        file.log.quorum = std::num::NonZeroU8::MIN;
        assert!(file.datasets.iter().any(|dataset| dataset.kind == EntryKind::Watch));
        fixture::sign(&config, &file);
        let config = Config::read(&path).expect("good");
        Self::serving(directory, (people, config, clock), (authority, log))
    }

    fn serving(
        directory: tempfile::TempDir,
        (people, config, clock): (PathBuf, Config, Clock),
        (authority, log): (Authority, SigningKey),
    ) -> Self {
        let epochs = Arc::new(Epochs::open(config.clone(), clock.clone()).expect("opened"));
        epochs.present().reload(&Reload::All, &mut |_, _, _| ()).expect("read");
        let stop = CancellationToken::new();
        let witness = Witness::open(&config.state_dir, clock.clone(), stop).expect("opened");
        let discloser = Discloser::open(config.clone(), clock.clone()).expect("opened");
        let service = Disclosing::new(epochs.clone(), Arc::new(discloser), Arc::new(witness));
        Self {
            config,
            people,
            clock,
            epochs,
            authority,
            log,
            witnessed: true,
            service,
            _directory: directory,
        }
    }

    /// A request that is good in every way, for Wang.
    pub fn request(&self) -> DisclosureRequest {
        DisclosureRequest {
            scope: self.epochs.present().scope(),
            id: HexBytes([1; 16]),
            alert: "AL-0123-ABCD-XYZ9".parse().expect("an id"),
            subject: self.subject(WANG),
            agency: "aid".parse().expect("a name"),
            dataset: "unemployed".parse().expect("a name"),
            fields: vec![ContactField::Name, ContactField::Address],
            purpose: Purpose::HomeVisit,
            legal_basis: LegalBasis::StatutoryDuty,
            officer: "li-na".parse().expect("a name"),
            officer_key: officer_key(3).public(),
            expires_at: "2026-11-25T00:00:00Z".parse().expect("a time"),
            nonce: [4; 32],
            emergency: false,
        }
    }

    pub fn subject(&self, id: &str) -> Subject {
        let today = jiff::civil::date(2026, 11, 24);
        let found = canonicalise(&IdentifierType::ResidentId, id, today).expect("well formed");
        let agency = self.epochs.present().agency();
        let derivation = Derivation::computed(&agency.manifest.scope).expect("computable");
        let (salts, base) = (agency.held_salts(), DatasetId::base());
        let root = derivation.root(&found.identifier);
        let salt = salts.get(&base).expect("our own");
        Subject::of(&derivation.person_secret(&root, &base, salt))
    }

    /// Signed by who asks and by these approvers, and in the witnessed log.
    pub fn application(&self, request: &DisclosureRequest, approvers: &[&str]) -> Application {
        let digest = request.digest();
        let asks = self.authority.officer(request.officer.as_str());
        let officer = asks.sign(&request_bytes(&digest)).expect("signed");
        let approvals = approvers.iter().map(|id| self.approval(request, id)).collect();
        let named: Vec<AgencyId> = approvers.iter().map(|id| id.parse().expect("a name")).collect();
        let proof = self.proof(&Self::carried(request, &named));
        Application { request: request.clone(), officer, approvals, proof }
    }

    pub fn approval(&self, request: &DisclosureRequest, approver: &str) -> OfficerSignature {
        let approver = self.authority.officer(approver);
        approver.sign(&approval_bytes(&request.digest())).expect("signed")
    }

    /// What the log must say.
    pub fn carried(request: &DisclosureRequest, approvers: &[AgencyId]) -> Entry {
        let act = Act::DisclosureCarried {
            disclosure: request.id,
            alert: request.alert.clone(),
            agency: request.agency.clone(),
            dataset: request.dataset.clone(),
            emergency: request.emergency,
            request: request.digest(),
            approvers: approvers.to_vec(),
        };
        Entry::new(Timestamp::UNIX_EPOCH, Actor::Gateway, act)
    }

    /// The proof of an entry, the second of three.
    pub fn proof(&self, entry: &Entry) -> String {
        let bytes = entry.to_bytes();
        let leaves = [&b"before"[..], &bytes, b"after"].map(Hash::of_leaf);
        let head = TreeHead { size: 3, root: Hash::of_tree(&leaves) };
        let programme = fixture::programme();
        let mut checkpoint = Checkpoint::sign(&origin(&programme), head, &self.log);
        if self.witnessed {
            let keys = Keys::read(&self.config.state_dir).expect("made");
            let name = witness_name(&programme, &self.config.agency);
            let line = cosign(&checkpoint, (&name, &keys.witness), self.clock.now());
            checkpoint.add(line);
        }
        let checkpoint = checkpoint.note().clone();
        let path = vec![leaves[0], leaves[2]];
        LogProof { extra: Some(bytes), index: 1, path, checkpoint }.to_string()
    }

    pub fn agency_key(&self) -> VerifyingKey {
        Keys::read(&self.config.state_dir).expect("made").public().signing
    }

    pub async fn send(&self, application: &Application) -> Result<wire::DiscloseResponse, Status> {
        self.send_message(application.into()).await
    }

    pub async fn send_message(
        &self,
        message: wire::DiscloseRequest,
    ) -> Result<wire::DiscloseResponse, Status> {
        let mut request = Request::new(message);
        let gateway: Identity = "spiffe://demo/gateway/gateway".parse().expect("an identity");
        request.extensions_mut().insert(gateway);
        self.service.disclose(request).await.map(tonic::Response::into_inner)
    }

    /// Why nothing is disclosed; nothing of the person is told with it, nor written into the journal.
    pub async fn refused(&self, application: &Application) -> Reason {
        let before = fs::read(self.config.state_dir.join("disclosures.journal")).expect("read");
        let status = self.send(application).await.expect_err("refused");
        for canary in ["王建国", "赵某", "虚构路", WANG, GUARDED] {
            assert!(!status.message().contains(canary), "{}", status.message());
        }
        let after = fs::read(self.config.state_dir.join("disclosures.journal")).expect("read");
        assert!(before == after, "what is refused uses up nothing");
        Reason::from_name(&reason_of(&status).expect("a reason")).expect("of the protocol")
    }

    /// The same agency after a restart with other settings.
    pub fn restarted(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self { mut config, people, clock, epochs, authority, log, service, _directory, .. } =
            self;
        drop((epochs, service));
        change(&mut config);
        Self::serving(_directory, (people, config, clock), (authority, log))
    }
}

//! A throw-away certificate authority, so that tests and the demo can speak mutual TLS, and can show
//! what an expired, a revoked or a foreign certificate meets.
//!
//! Not for a real deployment: its keys live in memory and nobody guards them.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519,
    RevocationReason, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// One authority of one programme.
pub struct Pki {
    programme: String,
    issuer: Issuer<'static, KeyPair>,
    trust: String,
    next_serial: AtomicU64,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct IssuedPem {
    /// PEM of the certificate.
    pub certificate: String,
    /// PEM of its private key.
    pub key: String,
    /// What [`Pki::revoked_pem`] names it by.
    pub serial: u64,
}

impl Pki {
    /// A new authority with an Ed25519 key.
    pub fn new(programme: &str) -> Self {
        let key = new_key();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("{programme} test authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2020, 1, 1);
        let trust = params.self_signed(&key).expect("fixed parameters are good").pem();
        Self {
            programme: programme.into(),
            issuer: Issuer::new(params, key),
            trust,
            next_serial: AtomicU64::new(1),
        }
    }

    /// A certificate for `spiffe://<programme>/<role>/<id>`, `localhost` and 127.0.0.1; `role` is
    /// `agency`, `gateway` or `officer`.
    pub fn issue(&self, role: &str, id: &str) -> IssuedPem {
        self.issue_between(&self.programme, (role, id), 2020, 2099)
    }

    /// The same for another programme.
    pub fn issue_for(&self, programme: &str, role: &str, id: &str) -> IssuedPem {
        self.issue_between(programme, (role, id), 2020, 2099)
    }

    /// The same, but out of date since 2021.
    pub fn issue_expired(&self, role: &str, id: &str) -> IssuedPem {
        self.issue_between(&self.programme, (role, id), 2020, 2021)
    }

    fn issue_between(
        &self,
        programme: &str,
        (role, id): (&str, &str),
        from: i32,
        to: i32,
    ) -> IssuedPem {
        let serial = self.next_serial.fetch_add(1, Ordering::Relaxed);
        let uri = format!("spiffe://{programme}/{role}/{id}");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, id);
        params.subject_alt_names = vec![
            SanType::URI(uri.as_str().try_into().expect("names are ASCII")),
            SanType::DnsName("localhost".try_into().expect("ASCII")),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ];
        params.serial_number = Some(SerialNumber::from(serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).expect("fixed parameters are good");
        IssuedPem { certificate: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// PEM of the authority's own certificate: what parties trust.
    pub fn trust_pem(&self) -> &str {
        &self.trust
    }

    /// PEM of a current revocation list that names these serials, if any.
    pub fn revoked_pem(&self, serials: &[u64]) -> String {
        let revoked = |&serial: &u64| RevokedCertParams {
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
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(&self.issuer).expect("fixed parameters are good");
        signed.pem().expect("a DER list has a PEM form")
    }

    /// Writes `certificate.pem`, `key.pem` (mode 0600), `trust.pem` and `revoked.pem` into `dir`,
    /// which is made if it is missing.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, issued: &IssuedPem, revoked: &[u64], dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("certificate.pem"), &issued.certificate)?;
        let key = dir.join("key.pem");
        fs::write(&key, &issued.key)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        fs::write(dir.join("trust.pem"), &self.trust)?;
        fs::write(dir.join("revoked.pem"), self.revoked_pem(revoked))
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).expect("the system has randomness")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proto::{
        identity::Party,
        tls::{Tls, TlsPem},
    };
    use rustls::{ClientConnection, ServerConnection, pki_types::ServerName};

    use super::*;

    fn tls(pki: &Pki, issued: &IssuedPem, revoked: &[u64]) -> Tls {
        let revoked = pki.revoked_pem(revoked);
        Tls::from_pem(&TlsPem {
            certificate: issued.certificate.as_bytes(),
            key: issued.key.as_bytes(),
            trust: pki.trust_pem().as_bytes(),
            revoked: Some(revoked.as_bytes()),
        })
        .expect("usable files")
    }

    /// Whether both ends finish the handshake, in memory.
    fn meets(server: &Tls, client: &Tls) -> bool {
        let mut server = ServerConnection::new(Arc::clone(&server.server)).expect("a server");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&client.client), name).expect("a client");
        for _ in 0..10 {
            let mut bytes = vec![];
            client.write_tls(&mut bytes).expect("memory");
            server.read_tls(&mut &bytes[..]).expect("memory");
            if server.process_new_packets().is_err() {
                return false;
            }
            bytes.clear();
            server.write_tls(&mut bytes).expect("memory");
            client.read_tls(&mut &bytes[..]).expect("memory");
            if client.process_new_packets().is_err() {
                return false;
            }
        }
        !server.is_handshaking() && !client.is_handshaking()
    }

    #[test]
    fn two_parties_of_one_authority_meet_and_others_do_not() {
        let pki = Pki::new("demo");
        let server = tls(&pki, &pki.issue("agency", "tax"), &[]);
        assert_eq!(server.identity.party, Party::Agency("tax".parse().expect("a name")));
        let officer = pki.issue("officer", "li-na");
        assert!(meets(&server, &tls(&pki, &officer, &[])), "a good one");
        let expired = pki.issue_expired("officer", "li-na");
        assert!(!meets(&server, &tls(&pki, &expired, &[])), "expired");
        let strict = tls(&pki, &pki.issue("agency", "tax"), &[officer.serial]);
        assert!(!meets(&strict, &tls(&pki, &officer, &[])), "revoked");
        let foreign = Pki::new("demo");
        let stranger = tls(&foreign, &foreign.issue("officer", "li-na"), &[]);
        assert!(!meets(&server, &stranger), "foreign authority");
    }

    #[test]
    fn a_written_key_is_the_owners_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let pki = Pki::new("demo");
        pki.write(&pki.issue("gateway", "gateway"), &[7], dir.path()).expect("written");
        let mode = fs::metadata(dir.path().join("key.pem")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

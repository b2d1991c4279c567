//! `doctor`'s checks of the TLS files: whom the certificate names, who issued it, until when it is
//! valid, who can read its key, and whether the revocation list is valid.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::identity::Identity;
use rustls::{
    CertificateError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::{
    check::Check,
    config::{ConfigError, TlsFiles, contents},
    lang::Lang,
};

const SUBJECT: &str = "tls";
/// Certificates are to be renewed before so little is left.
const EARLY: Duration = Duration::from_secs(30 * 24 * 3600);
/// Revocation lists live for days: a new one is to be there before so little is left.
const LIST_EARLY: Duration = Duration::from_secs(24 * 3600);

/// The files fit each other, name `expected`, and are valid for the next 30 days.
pub fn check_tls(files: &TlsFiles, expected: &Identity, now: Timestamp, lang: Lang) -> Check {
    let tls = match files.read() {
        Ok(tls) => tls,
        Err(error) => {
            return Check::failure(
                SUBJECT,
                lang.pick(
                    format!("{error}。需要 {expected} 的证书、与之配对的私钥和可信机构的证书，均为 PEM 格式"),
                    format!("{error}. Needed are a certificate for {expected}, its key, and those of the authorities to trust, in PEM form"),
                ),
            );
        }
    };
    if tls.identity != *expected {
        let found = &tls.identity;
        return Check::failure(SUBJECT, lang.pick(
            format!("证书中的身份是 {found}，本系统应为 {expected}：请重新申请证书"),
            format!("the certificate names {found} and this adapter is {expected}: have one issued for it"),
        ));
    }
    if others_read(&files.key) {
        let key = files.key.display();
        return Check::warning(SUBJECT, lang.pick(
            format!("其他用户可以读取私钥 {key}：请执行 chmod 600，并考虑更换证书和私钥"),
            format!("others can read the key {key}: run `chmod 600` on it, and consider a new certificate and key"),
        ));
    }
    match validity(files, now) {
        Ok(problem) => problem.check(now, lang),
        Err(error) => Check::failure(SUBJECT, error.to_string()),
    }
}

/// Whether everybody on this computer can read the file; a group may.
fn others_read(key: &Path) -> bool {
    fs::metadata(key).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

/// What is wrong with the certificate or with the list of revoked ones, now or soon.
#[derive(Debug, PartialEq, Eq)]
enum Validity {
    Good,
    Ends(Timestamp),
    Begins(Timestamp),
    Untrusted(String),
    Revoked,
    /// The revocation list is valid until then; without a valid one every peer is refused.
    ListEnds(Timestamp),
    /// The list is not of the authority that issued the certificate, or cannot be used.
    OtherList(String),
}

impl Validity {
    fn check(self, now: Timestamp, lang: Lang) -> Check {
        match self {
            Self::Good => Check::ok(SUBJECT, lang.pick(
                "证书与本部门相符，30 天内不会过期",
                "the certificate names this agency and is valid for at least 30 days",
            )),
            Self::Ends(end) if end > now => Check::warning(SUBJECT, lang.pick(
                format!("证书将于 {end} 过期：请申请新证书"),
                format!("the certificate expires at {end}: have a new one issued"),
            )),
            Self::Ends(end) => Check::failure(SUBJECT, lang.pick(
                format!("证书已于 {end} 过期：请申请新证书"),
                format!("the certificate expired at {end}: have a new one issued"),
            )),
            Self::Begins(begin) => Check::failure(SUBJECT, lang.pick(
                format!("证书自 {begin} 起有效，尚未生效：请检查本机时钟，或等待"),
                format!("the certificate is valid from {begin} on only: check this computer's clock, or wait"),
            )),
            Self::Revoked => Check::failure(SUBJECT, lang.pick(
                "证书已被吊销：请申请新证书",
                "the certificate was revoked: have a new one issued",
            )),
            Self::ListEnds(end) if end > now => Check::warning(SUBJECT, lang.pick(
                format!("[tls] revoked 中的吊销列表将于 {end} 过期，届时会拒绝所有连接：请更新"),
                format!("the revocation list in [tls] revoked expires at {end}, and every connection will then be refused: fetch a new one"),
            )),
            Self::ListEnds(end) => Check::failure(SUBJECT, lang.pick(
                format!("[tls] revoked 中的吊销列表已于 {end} 过期，所有连接都被拒绝：请更新"),
                format!("the revocation list in [tls] revoked expired at {end}, and every connection is refused: fetch a new one"),
            )),
            Self::OtherList(problem) => Check::failure(SUBJECT, lang.pick(
                format!("[tls] revoked 中没有签发机构的吊销列表（{problem}）：请向签发机构索取"),
                format!("[tls] revoked has no list of the authority that issued the certificate ({problem}): fetch that authority's"),
            )),
            Self::Untrusted(problem) => Check::failure(SUBJECT, lang.pick(
                format!("用 [tls] trust 中的机构核验该证书未通过（{problem}）：请检查两个文件"),
                format!("the certificate does not pass with the authorities in [tls] trust ({problem}): check both files"),
            )),
        }
    }
}

fn validity(files: &TlsFiles, now: Timestamp) -> Result<Validity, ConfigError> {
    let (certificate, trust) = (contents(&files.certificate)?, contents(&files.trust)?);
    let chain: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(&certificate).filter_map(Result::ok).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&trust).filter_map(Result::ok));
    let lists = match &files.revoked {
        Some(revoked) => contents(revoked)?,
        None => vec![],
    };
    let lists = CertificateRevocationListDer::pem_slice_iter(&lists).filter_map(Result::ok);
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build();
    let verifier = match verifier {
        Ok(verifier) => verifier,
        Err(error) => return Ok(Validity::Untrusted(error.to_string())),
    };
    let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let probe = |at| verify(verifier.as_ref(), &chain, UnixTime::since_unix_epoch(at));
    let problems = [Duration::ZERO, LIST_EARLY, EARLY].map(|early| probe(since_1970 + early));
    Ok(match problems {
        [Validity::Good, Validity::Good, Validity::ListEnds(_)] => Validity::Good,
        [Validity::Good, Validity::Good, later] => later,
        [Validity::Good, soon, _] => soon,
        [now, ..] => now,
    })
}

fn verify(
    verifier: &dyn ClientCertVerifier,
    chain: &[CertificateDer<'_>],
    at: UnixTime,
) -> Validity {
    let [own, intermediates @ ..] = chain else {
        return Validity::Untrusted("no certificate".into());
    };
    let moment = |time: UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    match verifier.verify_client_cert(own, intermediates, at) {
        Ok(_) => Validity::Good,
        Err(rustls::Error::InvalidCertificate(problem)) => match problem {
            CertificateError::ExpiredContext { not_after, .. } => Validity::Ends(moment(not_after)),
            CertificateError::NotValidYetContext { not_before, .. } => {
                Validity::Begins(moment(not_before))
            }
            // Peers check what it may be used for; time and issuer are checked before that.
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Validity::Good
            }
            CertificateError::Revoked => Validity::Revoked,
            CertificateError::ExpiredRevocationListContext { next_update, .. } => {
                Validity::ListEnds(moment(next_update))
            }
            problem @ CertificateError::UnknownRevocationStatus => {
                Validity::OtherList(problem.to_string())
            }
            problem => Validity::Untrusted(problem.to_string()),
        },
        Err(error) => Validity::Untrusted(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevokedCertParams, SanType,
        SerialNumber, date_time_ymd,
    };

    use super::*;

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning_and_one_that_ended_a_failure() {
        let at = |second| Timestamp::from_second(second).expect("a moment");
        let verdict = |validity: Validity| validity.check(at(1000), Lang::En).verdict;
        assert_eq!(verdict(Validity::Good), crate::check::Verdict::Ok);
        assert_eq!(verdict(Validity::Ends(at(1001))), crate::check::Verdict::Warning);
        assert_eq!(verdict(Validity::Ends(at(1000))), crate::check::Verdict::Failure);
        assert_eq!(verdict(Validity::Begins(at(1001))), crate::check::Verdict::Failure);
    }

    /// 2027-01-01.
    const NOW: i64 = 1_798_761_600;

    /// What is found where the certificate and the list end so many hours from then.
    fn found((certificate, list): (i64, i64), revoked: bool) -> Check {
        let directory = tempfile::tempdir().expect("a directory");
        let key = || KeyPair::generate_for(&PKCS_ED25519).expect("random");
        let at = |hours: i64| {
            let by = Duration::from_secs(3600 * hours.unsigned_abs());
            let now = date_time_ymd(2027, 1, 1);
            if hours < 0 { now - by } else { now + by }
        };
        let authority_key = key();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let trust = params.self_signed(&authority_key).expect("good").pem();
        let issuer = Issuer::new(params, authority_key);
        let (mut params, own_key) = (CertificateParams::default(), key());
        let uri = SanType::URI("spiffe://demo/agency/tax".try_into().expect("ASCII"));
        params.subject_alt_names = vec![uri];
        params.serial_number = Some(SerialNumber::from(7));
        params.not_after = at(certificate);
        let certificate = params.signed_by(&own_key, &issuer).expect("good").pem();
        let entry = RevokedCertParams {
            serial_number: SerialNumber::from(if revoked { 7 } else { 8 }),
            revocation_time: at(-1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: at(-100),
            next_update: at(list),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![entry],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&issuer).expect("good").pem().expect("PEM");
        let file = |name: &str, content: String| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
            path
        };
        let files = TlsFiles {
            certificate: file("certificate.pem", certificate),
            key: file("key.pem", own_key.serialize_pem()),
            trust: file("trust.pem", trust),
            revoked: Some(file("revoked.pem", list)),
        };
        let expected = "spiffe://demo/agency/tax".parse().expect("an identity");
        let now = Timestamp::from_second(NOW).expect("a moment");
        check_tls(&files, &expected, now, Lang::En)
    }

    #[test]
    fn a_list_of_revoked_certificates_that_ends_is_told_before_every_peer_is_refused() {
        use crate::check::Verdict::{Failure, Ok, Warning};
        for (hours, revoked, verdict, text) in [
            ((9000, 170), false, Ok, "valid for at least 30 days"),
            ((9000, 9000), false, Ok, "valid for at least 30 days"),
            ((500, 170), false, Warning, "the certificate expires"),
            ((9000, 20), false, Warning, "the revocation list in"),
            ((9000, -1), false, Failure, "every connection is refused"),
            ((9000, 170), true, Failure, "was revoked"),
        ] {
            let check = found(hours, revoked);
            assert_eq!(check.verdict, verdict, "{hours:?}: {}", check.found);
            assert!(check.found.contains(text), "{hours:?}: {}", check.found);
        }
    }
}

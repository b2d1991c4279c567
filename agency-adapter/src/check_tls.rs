//! `doctor`'s checks of the TLS files: whom the certificate names, who issued it, until when it is
//! valid, and who can read its key.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::identity::Identity;
use rustls::{
    CertificateError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
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

/// What is wrong with the certificate's time or issuer, now or soon.
#[derive(Debug, PartialEq, Eq)]
enum Validity {
    Good,
    Ends(Timestamp),
    Begins(Timestamp),
    Untrusted(String),
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
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = match verifier {
        Ok(verifier) => verifier,
        Err(error) => return Ok(Validity::Untrusted(error.to_string())),
    };
    let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let probe = |at| verify(verifier.as_ref(), &chain, UnixTime::since_unix_epoch(at));
    Ok(match probe(since_1970) {
        Validity::Good => probe(since_1970 + EARLY),
        problem => problem,
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
            problem => Validity::Untrusted(problem.to_string()),
        },
        Err(error) => Validity::Untrusted(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
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
}

//! Who is at the other end: the URI name in a certificate, `spiffe://<programme>/<role>/<id>`
//! (PROTOCOL.md section 11).

use std::{fmt, str::FromStr};

use x509_parser::{extensions::GeneralName, prelude::FromDer};

use crate::name::{AgencyId, ProgrammeId};

/// A party, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The programme the certificate was issued for.
    pub programme: ProgrammeId,
    /// What the party is, and its id.
    pub party: Party,
}

/// The three kinds of party.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// An agency's adapter.
    Agency(AgencyId),
    /// The gateway.
    Gateway(AgencyId),
    /// A member of staff.
    Officer(AgencyId),
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not X.509, or without a subject alternative name.
    #[error("the certificate cannot be read or has no subject alternative name")]
    Unreadable,
    /// No URI, or more than one.
    #[error("the certificate must hold exactly one URI name and holds {0}")]
    Count(usize),
    /// A URI of another form.
    #[error("the certificate's URI name is not spiffe://<programme>/agency|gateway|officer/<id>")]
    Form,
}

impl Identity {
    /// Reads the one URI name of a DER certificate.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn of_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der)
            .map_err(|_| IdentityError::Unreadable)?;
        let names = certificate
            .subject_alternative_name()
            .ok()
            .flatten()
            .ok_or(IdentityError::Unreadable)?;
        let uris: Vec<&str> = names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            })
            .collect();
        match uris[..] {
            [uri] => uri.parse(),
            _ => Err(IdentityError::Count(uris.len())),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, IdentityError> {
        let form = IdentityError::Form;
        let path = uri.strip_prefix("spiffe://").ok_or(form.clone())?;
        let parts: Vec<&str> = path.split('/').collect();
        let [programme, role, id] = parts[..] else { return Err(form) };
        let id = id.parse().map_err(|_| form.clone())?;
        let party = match role {
            "agency" => Party::Agency(id),
            "gateway" => Party::Gateway(id),
            "officer" => Party::Officer(id),
            _ => return Err(form),
        };
        Ok(Self { programme: programme.parse().map_err(|_| form)?, party })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, id) = match &self.party {
            Party::Agency(id) => ("agency", id),
            Party::Gateway(id) => ("gateway", id),
            Party::Officer(id) => ("officer", id),
        };
        write!(f, "spiffe://{}/{role}/{id}", self.programme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_name_round_trips_and_other_forms_are_refused() {
        for good in ["spiffe://demo/agency/tax", "spiffe://demo/officer/li-na"] {
            assert_eq!(good.parse::<Identity>().map(|i| i.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "https://demo/agency/tax",
            "spiffe://demo/agency",
            "spiffe://demo/agency/tax/x",
            "spiffe://demo/root/tax",
            "spiffe:///agency/tax",
        ] {
            assert_eq!(bad.parse::<Identity>(), Err(IdentityError::Form), "{bad}");
        }
    }
}

//! The text form in which a contribution travels from holder to holder, by whatever way: it is signed,
//! and every secret in it is encrypted to one agency.

use proto::{envelope::Envelope, name::AgencyId};
use serde::{Deserialize, Serialize};

use super::{
    ceremony::Ceremony,
    contribution::{Contribution, ContributionError, Part},
};

/// A contribution as text; byte fields are hex digits, subsets and members are indices of holders.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ceremony: String,
    contributor: AgencyId,
    signature: String,
    #[serde(rename = "subset")]
    parts: Vec<FilePart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePart {
    members: String,
    commitment: String,
    #[serde(rename = "secret")]
    secrets: Vec<Secret>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    to: u8,
    encapsulated_key: String,
    ciphertext: String,
}

impl Contribution {
    /// The file's content.
    pub fn to_text(&self) -> String {
        let secret = |(member, envelope): &(std::num::NonZeroU8, Envelope)| Secret {
            to: member.get(),
            encapsulated_key: hex::encode(&envelope.encapsulated_key),
            ciphertext: hex::encode(&envelope.ciphertext),
        };
        let part = |part: &Part| FilePart {
            members: part.subset.to_string(),
            commitment: hex::encode(part.commitment),
            secrets: part.envelopes.iter().map(secret).collect(),
        };
        let file = File {
            ceremony: hex::encode(self.ceremony),
            contributor: self.contributor.clone(),
            signature: hex::encode(self.signature),
            parts: self.parts.iter().map(part).collect(),
        };
        toml::to_string(&file).expect("tables of texts and numbers")
    }

    /// Reads a file's content. Nothing is said about who made it.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn parse(text: &str, ceremony: &Ceremony) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let digits = "hex digits of another number are expected";
        let id = array(&file.ceremony).ok_or(digits)?;
        if id != ceremony.id() {
            return Err(
                ContributionError::other_ceremony(file.contributor, &id, ceremony).to_string()
            );
        }
        let part = |part: FilePart| {
            let subset = ceremony.sharing.subset(&part.members);
            let subset = subset.ok_or_else(|| format!("no subset has members {}", part.members))?;
            let envelope = |secret: Secret| {
                let member = secret.to.try_into().map_err(|_| "holders count from 1".to_owned())?;
                let encapsulated_key =
                    array::<32>(&secret.encapsulated_key).ok_or(digits)?.to_vec();
                let ciphertext = array::<48>(&secret.ciphertext).ok_or(digits)?.to_vec();
                Ok::<_, String>((member, Envelope { encapsulated_key, ciphertext }))
            };
            let envelopes = part.secrets.into_iter().map(envelope).collect::<Result<_, _>>()?;
            let commitment = array(&part.commitment).ok_or(digits)?;
            Ok::<_, String>(Part { subset, commitment, envelopes })
        };
        Ok(Self {
            ceremony: id,
            contributor: file.contributor,
            parts: file.parts.into_iter().map(part).collect::<Result<_, _>>()?,
            signature: array(&file.signature).ok_or(digits)?,
        })
    }
}

fn array<const N: usize>(digits: &str) -> Option<[u8; N]> {
    hex::decode(digits).ok()?.try_into().ok()
}

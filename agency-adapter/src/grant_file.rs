//! The text form of a salt grant in the state directory.

use proto::{salt::SaltGrant, scope::Suite, wire};
use serde::{Deserialize, Serialize};

/// A grant as text; byte fields are hex digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantFile {
    programme: String,
    epoch: u32,
    suite: Suite,
    dataset: String,
    owner: String,
    grantee: String,
    encapsulated_key: String,
    ciphertext: String,
    signature: String,
}

impl GrantFile {
    /// The file's content.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("a flat table of texts and a number")
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// The parser's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }
}

impl From<&SaltGrant> for GrantFile {
    fn from(grant: &SaltGrant) -> Self {
        let scope = &grant.scope;
        let bytes = wire::SaltGrant::from(grant);
        Self {
            programme: scope.programme.to_string(),
            epoch: scope.epoch,
            suite: scope.suite,
            dataset: bytes.dataset,
            owner: bytes.owner,
            grantee: bytes.grantee,
            encapsulated_key: hex::encode(bytes.encapsulated_key),
            ciphertext: hex::encode(bytes.ciphertext),
            signature: hex::encode(bytes.signature),
        }
    }
}

impl TryFrom<GrantFile> for wire::SaltGrant {
    type Error = String;

    fn try_from(file: GrantFile) -> Result<Self, String> {
        let bytes = |text: &str| hex::decode(text).map_err(|_| "hex digits expected".to_owned());
        Ok(Self {
            scope: Some(wire::Scope {
                programme: file.programme,
                epoch: file.epoch,
                suite: file.suite.to_byte().into(),
            }),
            dataset: file.dataset,
            owner: file.owner,
            grantee: file.grantee,
            encapsulated_key: bytes(&file.encapsulated_key)?,
            ciphertext: bytes(&file.ciphertext)?,
            signature: bytes(&file.signature)?,
        })
    }
}

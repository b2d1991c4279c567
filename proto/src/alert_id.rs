//! An alert's id as people and programs write it: `AL-XXXX-XXXX-XXXX` (PROTOCOL.md section 10.4).
//!
//! Owns the spelling. What it is derived from is the gateway's business.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Crockford's base32: no I, L, O and U.
const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const FORM: &[u8] = b"AL-XXXX-XXXX-XXXX";

/// The id of an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlertId(Box<str>);

/// The text is no alert's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an alert's id is AL-XXXX-XXXX-XXXX, each X a digit or a capital letter other than I, L, O and U"
)]
pub struct InvalidAlertId;

impl AlertId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AlertId {
    type Err = InvalidAlertId;

    fn from_str(text: &str) -> Result<Self, InvalidAlertId> {
        let fits = |(byte, form): (u8, &u8)| match form {
            b'X' => ALPHABET.contains(&byte),
            mark => byte == *mark,
        };
        let well = text.len() == FORM.len() && text.bytes().zip(FORM).all(fits);
        if well { Ok(Self(text.into())) } else { Err(InvalidAlertId) }
    }
}

impl TryFrom<String> for AlertId {
    type Error = InvalidAlertId;

    fn try_from(text: String) -> Result<Self, InvalidAlertId> {
        text.parse()
    }
}

impl From<AlertId> for String {
    fn from(id: AlertId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_section_10_4_is_an_id() {
        let good = "AL-0123-ABCD-XYZ9";
        assert_eq!(good.parse::<AlertId>().map(String::from).as_deref(), Ok(good));
        for bad in
            ["", "AL-0123-ABCD-XYZ", "AL-0123-ABCD-XYZI", "al-0123-abcd-xyz9", "AL 0123-ABCD-XYZ9"]
        {
            assert_eq!(bad.parse::<AlertId>(), Err(InvalidAlertId), "{bad}");
        }
    }
}

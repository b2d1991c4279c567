//! A person's contact details on their way from the owning agency to one officer (PROTOCOL.md section
//! 21.6): which there are, and the padded bytes that are encrypted.
//!
//! Encryption and signature are `disclosure`'s. Nothing here is ever shown by Debug.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::lp::{LengthPrefixed, LengthPrefixedReader};

/// Contact details fill whole units of so many bytes: how long they are is not told.
pub const UNIT: usize = 512;
/// A text has at most so many bytes.
pub const MAX_TEXT: usize = 400;
/// So many texts at most: a person may have several numbers.
pub const MAX_TEXTS: usize = 12;

/// What can be disclosed of a person. Closed: nothing else ever is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactField {
    /// What the person is called.
    Name,
    /// How to call.
    Phone,
    /// Where to go.
    Address,
}

/// The texts of some fields of one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact(Vec<(ContactField, Zeroizing<String>)>);

/// Bytes or texts that are no contact details. Says nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "contact details are up to {MAX_TEXTS} texts of 1 to {MAX_TEXT} bytes without control characters, \
     padded with zeros"
)]
pub struct InvalidContact;

impl ContactField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Name, Self::Phone, Self::Address];

    /// The byte that stands for the field; never zero, which is padding.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Name => 1,
            Self::Phone => 2,
            Self::Address => 3,
        }
    }

    /// The field that a byte stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.to_byte() == byte)
    }

    /// Its word, as in files and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Address => "address",
        }
    }
}

impl Contact {
    /// Takes texts over.
    ///
    /// # Errors
    /// [`InvalidContact`] where a text is empty, too long or could steer a terminal, or there are too many.
    pub fn new(texts: Vec<(ContactField, Zeroizing<String>)>) -> Result<Self, InvalidContact> {
        let good = texts.iter().all(|(_, text)| {
            (1..=MAX_TEXT).contains(&text.len()) && !text.contains(char::is_control)
        });
        if good && texts.len() <= MAX_TEXTS { Ok(Self(texts)) } else { Err(InvalidContact) }
    }

    /// The texts, in order.
    pub fn texts(&self) -> impl Iterator<Item = (ContactField, &str)> {
        self.0.iter().map(|(field, text)| (*field, text.as_str()))
    }

    /// The bytes that are encrypted.
    pub fn to_padded(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = LengthPrefixed::with_room(MAX_TEXTS * (MAX_TEXT + 5));
        for (field, text) in self.texts() {
            bytes = bytes.byte(field.to_byte()).field(text.as_bytes());
        }
        let units = bytes.as_bytes().len().div_ceil(UNIT).max(1);
        let mut padded = Zeroizing::new(vec![0; units * UNIT]);
        padded[..bytes.as_bytes().len()].copy_from_slice(bytes.as_bytes());
        padded
    }

    /// Reads them back.
    ///
    /// # Errors
    /// [`InvalidContact`].
    pub fn from_padded(bytes: &[u8]) -> Result<Self, InvalidContact> {
        let mut reader = LengthPrefixedReader::new(bytes);
        let mut texts = vec![];
        while reader.rest().first().is_some_and(|byte| *byte != 0) {
            let field = reader.byte().and_then(ContactField::from_byte).ok_or(InvalidContact)?;
            let text = str::from_utf8(reader.field().ok_or(InvalidContact)?);
            texts.push((field, Zeroizing::new(text.map_err(|_| InvalidContact)?.to_owned())));
        }
        let contact = Self::new(texts)?;
        if *contact.to_padded() == bytes { Ok(contact) } else { Err(InvalidContact) }
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(texts: &[(ContactField, &str)]) -> Result<Contact, InvalidContact> {
        let owned = texts.iter().map(|(field, text)| (*field, Zeroizing::new((*text).to_owned())));
        Contact::new(owned.collect())
    }

    #[test]
    fn contact_details_survive_padding_and_their_length_does_not_show() {
        let short = contact(&[(ContactField::Name, "李")]).expect("good");
        let several = contact(&[
            (ContactField::Name, "欧阳建国"),
            (ContactField::Phone, "13800000000"),
            (ContactField::Phone, "02580000000"),
            (ContactField::Address, "南京市秦淮区虚构路 1 号"),
        ]);
        let several = several.expect("good");
        for contact in [&short, &several, &contact(&[]).expect("nothing")] {
            let padded = contact.to_padded();
            assert_eq!(padded.len(), UNIT);
            assert_eq!(Contact::from_padded(&padded).as_ref(), Ok(contact));
        }
        let long = "路".repeat(MAX_TEXT / 3);
        let long = contact(&[(ContactField::Address, &long), (ContactField::Address, &long)]);
        assert_eq!(long.expect("good").to_padded().len(), 2 * UNIT);
    }

    #[test]
    fn other_bytes_and_texts_are_no_contact_details() {
        assert!(contact(&[(ContactField::Name, "")]).is_err());
        assert!(contact(&[(ContactField::Name, &"x".repeat(MAX_TEXT + 1))]).is_err());
        assert!(contact(&[(ContactField::Name, "\u{1b}[2J")]).is_err());
        assert!(contact(&[(ContactField::Phone, "1"); MAX_TEXTS + 1]).is_err());
        let good = contact(&[(ContactField::Name, "李")]).expect("good").to_padded();
        let mut changed = good.to_vec();
        for (place, byte) in [(0, 9), (4, 200), (5, 0xff), (UNIT - 1, 1)] {
            let before = std::mem::replace(&mut changed[place], byte);
            assert!(Contact::from_padded(&changed).is_err(), "byte {place}");
            changed[place] = before;
        }
        assert!(Contact::from_padded(&good[..UNIT - 1]).is_err());
        assert!(Contact::from_padded(&[&good[..], &[0; UNIT]].concat()).is_err());
    }

    #[test]
    fn debug_shows_nobody() {
        let contact = contact(&[(ContactField::Name, "欧阳建国")]).expect("good");
        assert_eq!(format!("{contact:?}"), "Contact");
    }
}

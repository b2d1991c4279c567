//! The federation manifest as its holders sign it, and which one may follow which (PROTOCOL.md
//! sections 14.3 and 14.4).
//!
//! Owns the count of signatures and the refusal of older versions. Where the last accepted one is
//! kept is each party's business; what the text says is `manifest`'s.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{
    manifest::{Manifest, ManifestError},
    name::AgencyId,
    note::{KeyName, Note, NoteError, NoteKey},
    scope::Suite,
    signing::SigningKey,
};

/// A manifest with the signatures below it. [`SignedManifest::accept`] says whether they are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    manifest: Manifest,
    note: Note,
}

/// Why a text is not even a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedManifestError {
    /// The note's form.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text in it.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Why an agency cannot sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSign {
    /// Its signature would count for nothing.
    #[error("{0} is no holder of this manifest: only those that [holders] lists sign it")]
    NoHolder(AgencyId),
    /// Nobody could verify it.
    #[error(
        "this manifest lists another signing_key for {0} than the one to sign with: have it drafted \
         with the output of `agency-adapter public-keys`"
    )]
    OtherKey(AgencyId),
}

/// Why a manifest is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// Too few of its own holders signed.
    #[error(
        "it needs the signatures of {threshold} holders and has {}: have it signed by {} \
         (`agency-adapter manifest sign`)",
        names(signed, "none"),
        names(missing, "more holders")
    )]
    Signatures {
        /// So many are needed.
        threshold: u8,
        /// Whose verify.
        signed: Vec<AgencyId>,
        /// Whose do not, or are not there.
        missing: Vec<AgencyId>,
    },
    /// Too few of those who held the one before signed: new holders cannot appoint themselves.
    #[error(
        "it needs the signatures of {threshold} holders of version {version}, accepted here before, \
         and has {}: have it signed by {}; if versions in between were missed, put them in place \
         first, in their order",
        names(signed, "none"),
        names(missing, "more of them")
    )]
    PreviousHolders {
        /// The version before.
        version: u32,
        /// So many are needed.
        threshold: u8,
        /// Whose verify.
        signed: Vec<AgencyId>,
        /// Whose do not, or are not there.
        missing: Vec<AgencyId>,
    },
    /// Older than what was accepted.
    #[error(
        "it is version {version}, and version {accepted} was accepted here before: get the newest \
         from whoever keeps the manifest"
    )]
    Rollback {
        /// Its version.
        version: u32,
        /// The accepted one's.
        accepted: u32,
    },
    /// Two texts under one version.
    #[error(
        "it is another text than the version {0} that was accepted here before: every change needs a \
         greater version, and whoever signed both must be asked why"
    )]
    OtherText(u32),
    /// A manifest of something else.
    #[error("it is for {got}, and {expected} was accepted here before: neither ever changes")]
    OtherScope {
        /// Programme and suite of the one accepted before.
        expected: String,
        /// Its own.
        got: String,
    },
    /// The present epoch would be an earlier one.
    #[error("its present epoch is {got}, and epoch {accepted} was the present one before")]
    EpochBack {
        /// Its present epoch.
        got: u32,
        /// The accepted one's.
        accepted: u32,
    },
    /// Other keys for an epoch that goes on: nobody would be found any more.
    #[error(
        "the holders, threshold or share_keys of epoch {0} are others than in the version accepted \
         here before: they never change within an epoch, for everybody's person secrets depend on them"
    )]
    EpochKeys(u32),
}

impl SignedManifest {
    /// Reads a signed manifest, or a body that nobody has signed yet. Nothing is said about who signed.
    ///
    /// # Errors
    /// [`SignedManifestError`].
    pub fn parse(text: &str) -> Result<Self, SignedManifestError> {
        let has_signatures = body_of(text) != text;
        let note = if has_signatures { Note::parse(text)? } else { Note::new(text)? };
        Ok(Self { manifest: Manifest::parse(note.text())?, note })
    }

    /// What it says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The text that is signed.
    pub fn body(&self) -> &str {
        self.note.text()
    }

    /// Whether anybody's signature is below it, whoever's it is.
    pub fn is_signed(&self) -> bool {
        !self.note.signatures().is_empty()
    }

    /// SHA-256 of the text: what people compare by telephone.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.body()).into()
    }

    /// Adds a holder's signature, in place of an earlier one of the same key.
    ///
    /// # Errors
    /// [`CannotSign`].
    pub fn sign(&mut self, agency: &AgencyId, key: &SigningKey) -> Result<(), CannotSign> {
        if self.manifest.holder_index(agency).is_none() {
            return Err(CannotSign::NoHolder(agency.clone()));
        }
        let listed = self.manifest.agency(agency).map(|agency| agency.signing_key);
        if listed != Some(key.verifying_key()) {
            return Err(CannotSign::OtherKey(agency.clone()));
        }
        self.note.sign(&signer(&self.manifest, agency), key);
        Ok(())
    }

    /// Which of its own holders signed, in their order.
    pub fn signers(&self) -> Vec<AgencyId> {
        self.signers_among(&self.manifest)
    }

    /// Whether everybody who accepted `previous` may go on with this one; without a previous one,
    /// whether it can be the first.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub fn accept(&self, previous: Option<&Self>) -> Result<(), NotAccepted> {
        if let Some(previous) = previous {
            self.may_follow(previous)?;
        }
        let (threshold, signed, missing) = self.count(&self.manifest);
        if signed.len() < usize::from(threshold) {
            return Err(NotAccepted::Signatures { threshold, signed, missing });
        }
        let Some(previous) = previous.filter(|previous| previous.body() != self.body()) else {
            return Ok(());
        };
        let (threshold, signed, missing) = self.count(&previous.manifest);
        if signed.len() < usize::from(threshold) {
            let version = previous.manifest.version;
            return Err(NotAccepted::PreviousHolders { version, threshold, signed, missing });
        }
        Ok(())
    }

    /// Whether its text may follow the previous one's, whoever signs it.
    ///
    /// # Errors
    /// [`NotAccepted`], but for signatures.
    pub fn may_follow(&self, previous: &Self) -> Result<(), NotAccepted> {
        if self.body() == previous.body() {
            return Ok(());
        }
        let (new, old) = (&self.manifest, &previous.manifest);
        let scope = |manifest: &Manifest| (manifest.scope.programme.clone(), manifest.scope.suite);
        if scope(new) != scope(old) {
            let words =
                |m: &Manifest| format!("programme {} suite {}", m.scope.programme, m.scope.suite);
            return Err(NotAccepted::OtherScope { expected: words(old), got: words(new) });
        }
        if new.version < old.version {
            return Err(NotAccepted::Rollback { version: new.version, accepted: old.version });
        }
        if new.version == old.version {
            return Err(NotAccepted::OtherText(new.version));
        }
        let (got, accepted) = (new.scope.epoch, old.scope.epoch);
        if got < accepted {
            return Err(NotAccepted::EpochBack { got, accepted });
        }
        let shared = |manifest: &Manifest| {
            let holders = manifest.holders();
            (holders.threshold, holders.agencies.clone())
        };
        for epoch in old.epochs().iter().filter(|_| new.scope.suite == Suite::Oprf) {
            let stays = new.epochs().iter().find(|stays| stays.number == epoch.number);
            let same = |stays: &crate::manifest::Epoch| {
                stays.share_keys == epoch.share_keys && shared(new) == shared(old)
            };
            if stays.is_some_and(|stays| !same(stays)) {
                return Err(NotAccepted::EpochKeys(epoch.number));
            }
        }
        Ok(())
    }

    /// Threshold of a manifest's holders, who of them signed this one, and who did not.
    fn count(&self, of: &Manifest) -> (u8, Vec<AgencyId>, Vec<AgencyId>) {
        let signed = self.signers_among(of);
        let others = of.holders().agencies.iter().filter(|holder| !signed.contains(holder));
        (of.holders().threshold.get(), signed.clone(), others.cloned().collect())
    }

    fn signers_among(&self, of: &Manifest) -> Vec<AgencyId> {
        let signed = |holder: &&AgencyId| {
            of.agency(holder).is_some_and(|agency| {
                let key = NoteKey { name: signer(of, holder), key: agency.signing_key };
                self.note.verified_by(&key)
            })
        };
        of.holders().agencies.iter().filter(signed).cloned().collect()
    }
}

/// The text of a signed manifest, or of one that nobody has signed yet.
pub fn body_of(text: &str) -> &str {
    match text.rfind("\n\n\u{2014}") {
        Some(end) if !text[end + 2..].contains("\n\n") => &text[..=end],
        _ => text,
    }
}

/// The note's bytes; of a manifest that nobody signed, its text.
impl fmt::Display for SignedManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_signed() { self.note.fmt(f) } else { f.write_str(self.body()) }
    }
}

/// `<programme>/<agency>`.
fn signer(manifest: &Manifest, agency: &AgencyId) -> KeyName {
    let name = format!("{}/{agency}", manifest.scope.programme);
    name.parse().expect("names have neither spaces nor plus signs")
}

fn names(agencies: &[AgencyId], nobody: &str) -> String {
    let names: Vec<&str> = agencies.iter().map(AgencyId::as_str).collect();
    if names.is_empty() { nobody.to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;

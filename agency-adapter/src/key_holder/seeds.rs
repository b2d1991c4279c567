//! The seeds that a holder knows: its share of every epoch's key follows from them, without a meeting
//! of the holders (pseudorandom secret sharing, PROTOCOL.md section 15.2).
//!
//! A ratchet: seeds of a past epoch, and with them its share, cannot be computed from later ones.

use std::{fmt, num::NonZeroU8, path::Path};

use curve25519_dalek::scalar::Scalar;
use proto::{labels, lp::LengthPrefixed, name::ProgrammeId};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    directory, secret_lines,
    subset::{Sharing, Subset},
};
use crate::{oprf::Share, secret_file::SecretFileError};

/// Nobody plans further ahead; it bounds what a slip of the pen costs.
const FURTHEST: u32 = 10_000;
const FILE: &str = "seeds";
const NOTE: &str = "# The seeds of this agency's key share. Secret. 本部门密钥份额的种子，须保密。";

/// 32 bytes that the members of one subset know.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

/// Whose seeds these are, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// For which programme.
    pub programme: ProgrammeId,
    /// Which ceremony: hex digits of its id.
    pub ceremony: String,
    /// The epoch for which the ceremony was held.
    pub first_epoch: u32,
    /// Of how many holders.
    pub sharing: Sharing,
    /// Which of them this one is.
    pub index: NonZeroU8,
}

/// A holder's seeds, as of one epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct Seeds {
    origin: Origin,
    epoch: u32,
    /// Of every subset of which the holder is a member, in their order.
    seeds: Vec<(Subset, Seed)>,
}

/// Why there is no share.
#[derive(Debug, thiserror::Error)]
pub enum SeedsError {
    /// The file.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Something else is in the file.
    #[error("key-holder/{FILE} is damaged ({0}): restore it from a backup")]
    Content(String),
    /// The ratchet has passed it.
    #[error(
        "the seeds of epoch {0} were deleted when it ended: its key share cannot be computed any more"
    )]
    Past(u32),
    /// Out of reach.
    #[error("epoch {0} is too far ahead: epochs count one by one")]
    Future(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    epoch: u32,
    origin: Origin,
}

impl Seed {
    /// Takes over 32 secret bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for derivation and for keeping.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The seed of the epoch after.
    fn next(&self, origin: &Origin, subset: Subset, epoch: u32) -> Self {
        let material = self.material(origin, subset, epoch);
        Self(blake3::derive_key(labels::SEED_NEXT, material.as_bytes()))
    }

    /// The subset's part of the key of this seed's epoch.
    fn key_part(&self, origin: &Origin, subset: Subset, epoch: u32) -> Zeroizing<Scalar> {
        let material = self.material(origin, subset, epoch);
        let mut wide = Zeroizing::new([0; 64]);
        let mut hasher = blake3::Hasher::new_derive_key(labels::KEY_PART);
        hasher.update(material.as_bytes()).finalize_xof().fill(&mut wide[..]);
        hasher.zeroize();
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// `epoch` is the one that the seed is of.
    fn material(&self, origin: &Origin, subset: Subset, epoch: u32) -> LengthPrefixed {
        LengthPrefixed::new()
            .field(&self.0)
            .field(origin.programme.as_str().as_bytes())
            .number(epoch)
            .number(subset.mask())
    }
}

impl Seeds {
    /// Of the epoch of the ceremony. The seeds are of every subset with the holder, in their order.
    pub(super) fn new(origin: Origin, seeds: Vec<(Subset, Seed)>) -> Self {
        Self { epoch: origin.first_epoch, origin, seeds }
    }

    /// Where they come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The oldest epoch whose share they give.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// This holder's share of an epoch's key.
    ///
    /// # Errors
    /// [`SeedsError::Past`] and [`SeedsError::Future`].
    pub fn share(&self, epoch: u32) -> Result<Share, SeedsError> {
        let mut seeds = self.clone();
        seeds.forward(epoch)?;
        let Origin { sharing, index, .. } = self.origin;
        let mut sum = Zeroizing::new(Scalar::ZERO);
        for (subset, seed) in &seeds.seeds {
            let part = seed.key_part(&self.origin, *subset, epoch);
            *sum += *part * sharing.weight(*subset, index);
        }
        Ok(Share::new(index, *sum).expect("a share is zero once in 2^252 epochs"))
    }

    /// Moves the seeds on to `epoch`. What came before cannot be computed from them afterwards.
    ///
    /// # Errors
    /// [`SeedsError::Past`] and [`SeedsError::Future`]; nothing is changed then.
    pub fn forward(&mut self, epoch: u32) -> Result<(), SeedsError> {
        let steps = epoch.checked_sub(self.epoch).ok_or(SeedsError::Past(epoch))?;
        if steps > FURTHEST {
            return Err(SeedsError::Future(epoch));
        }
        for (subset, seed) in &mut self.seeds {
            for past in self.epoch..epoch {
                *seed = seed.next(&self.origin, *subset, past);
            }
        }
        self.epoch = epoch;
        Ok(())
    }

    /// Reads them from the state directory; `None` before `finish`.
    ///
    /// # Errors
    /// [`SeedsError::File`] and [`SeedsError::Content`].
    pub fn read(state_dir: &Path) -> Result<Option<Self>, SeedsError> {
        let damaged = |problem: &str| SeedsError::Content(problem.to_owned());
        let read = secret_lines::read(&directory(state_dir).join(FILE))?;
        let Some((header, secrets)) = read else { return Ok(None) };
        let header = toml::from_str(&header);
        let Header { epoch, origin } = header.map_err(|error| damaged(error.message()))?;
        let secrets = secrets.ok_or_else(|| damaged("a seed is 64 hex digits"))?;
        let subsets: Vec<Subset> = origin.sharing.subsets_with(origin.index).collect();
        if subsets.is_empty() || subsets.len() != secrets.len() {
            return Err(damaged("seeds are missing"));
        }
        let seeds = subsets.into_iter().zip(secrets).collect();
        Ok(Some(Self { origin, epoch, seeds }))
    }

    /// Writes them, in one step, in the place of those that are there.
    ///
    /// # Errors
    /// [`SeedsError::File`].
    pub fn write(&self, state_dir: &Path) -> Result<(), SeedsError> {
        let header = Header { epoch: self.epoch, origin: self.origin.clone() };
        let header = toml::to_string(&header).expect("plain data");
        let secrets = self.seeds.iter().map(|(_, seed)| seed);
        secret_lines::write(&directory(state_dir).join(FILE), NOTE, &header, secrets)?;
        Ok(())
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seeds of epoch {}", self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::key_holder::fixture::{ceremony, finished};

    /// The seeds as they lie on the disk.
    fn lines(state_dir: &Path) -> Vec<[u8; 32]> {
        let text = fs::read_to_string(directory(state_dir).join(FILE)).expect("written");
        let (_, lines) = text.split_once("\n\n").expect("a header");
        lines.lines().map(|line| hex::decode(line).expect("hex").try_into().expect("32")).collect()
    }

    #[test]
    fn the_ratchet_replaces_every_seed_on_the_disk_by_the_one_that_the_protocol_says() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut seeds = finished(&ceremony(2, 3), 1).seeds;
        seeds.write(directory.path()).expect("written");
        let first = lines(directory.path());
        seeds.forward(3).expect("forward");
        seeds.write(directory.path()).expect("written");
        assert_eq!(Seeds::read(directory.path()).expect("readable"), Some(seeds));

        let expected = first.iter().zip([0b011, 0b101]).map(|(seed, mask)| {
            (1..3).fold(*seed, |seed, epoch: u32| {
                let mut material = vec![0, 0, 0, 32];
                material.extend(seed);
                material.extend(b"\0\0\0\x04demo");
                material.extend(epoch.to_be_bytes());
                material.extend(u32::to_be_bytes(mask));
                blake3::derive_key("matching.v1 2026-11-27 next key seed", &material)
            })
        });
        assert_eq!(lines(directory.path()), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_share_never_changes() {
        let shares = [1, 2].map(|epoch| {
            let share = finished(&ceremony(2, 3), 1).seeds.share(epoch).expect("a share");
            hex::encode(share.public().to_bytes())
        });
        let golden = [
            "74d1a26dd5abdc6a6e54d0be0f23d92f26c4006e8b9330874ff19d5c2ccfe71d",
            "06d4fe270a3c6514e41b448d208751fedeb4c71dbc0bcba5e05f0f039aeb0e50",
        ];
        assert_eq!(shares, golden, "a holder's share of these epochs never changes");
    }

    #[test]
    fn a_damaged_file_is_told_and_its_secrets_are_not() {
        let home = tempfile::tempdir().expect("a directory");
        finished(&ceremony(2, 3), 1).seeds.write(home.path()).expect("written");
        let path = directory(home.path()).join(FILE);
        let text = fs::read_to_string(&path).expect("written");
        let secret = hex::encode(lines(home.path())[0]);
        for bad in [
            text.replace(&secret, &secret[1..]),
            text.replace(&format!("{secret}\n"), ""),
            text.replace("index", "place"),
        ] {
            fs::write(&path, bad).expect("written");
            let told = Seeds::read(home.path()).expect_err("refused").to_string();
            assert!(told.contains("damaged") && !told.contains(&secret[2..]), "{told}");
        }
    }
}

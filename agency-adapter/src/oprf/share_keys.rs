//! The public keys of the holders' shares, as the federation manifest pins them for one epoch.

use std::{fmt, num::NonZeroU8};

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::IsIdentity};

use super::{element::decode, lagrange::Lagrange};

/// Holders of one programme, at most.
pub const MAX_HOLDERS: usize = 16;

/// The public key of one share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShareKey {
    bytes: [u8; 32],
    pub(super) point: RistrettoPoint,
}

/// The share keys of all holders of an epoch: known to be shares of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareKeys {
    threshold: usize,
    keys: Vec<ShareKey>,
}

/// Why share keys cannot be used. The manifest's fault, or a holder's that deviated in the ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareKeysError {
    /// Nonsense, or more than is supported.
    #[error(
        "{threshold} of {holders} key holders: there must be at most {MAX_HOLDERS}, and the threshold \
         from 1 to their number"
    )]
    Numbers {
        /// The manifest's.
        threshold: usize,
        /// How many share keys there are.
        holders: usize,
    },
    /// No group element, or the identity.
    #[error("share key {0} is not a key: take it again from what that holder's ceremony printed")]
    Key(usize),
    /// Some holder's share belongs to another key.
    #[error(
        "the share keys do not belong to one key with a threshold of {0}: compare each with what its \
         holder's ceremony printed; if all agree, a holder deviated and the ceremony must be repeated"
    )]
    NotOneKey(usize),
}

impl ShareKey {
    /// `None` for the identity and for everything that is not canonical.
    pub fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        Some(Self { bytes, point: decode(&bytes)? })
    }

    pub(super) fn of(secret: &Scalar) -> Self {
        let point = RistrettoPoint::mul_base(secret);
        Self { bytes: point.compress().to_bytes(), point }
    }

    /// The canonical form.
    pub fn to_bytes(self) -> [u8; 32] {
        self.bytes
    }
}

impl ShareKeys {
    /// Checks that all keys lie on one polynomial of degree below `threshold`, whose value at 0 (the
    /// public key of the whole) is not the identity.
    ///
    /// # Errors
    /// [`ShareKeysError`].
    pub fn new(threshold: u8, keys: &[[u8; 32]]) -> Result<Self, ShareKeysError> {
        let (threshold, holders) = (usize::from(threshold), keys.len());
        if threshold == 0 || threshold > holders || holders > MAX_HOLDERS {
            return Err(ShareKeysError::Numbers { threshold, holders });
        }
        let keys = keys.iter().enumerate();
        let keys: Vec<ShareKey> = keys
            .map(|(place, key)| ShareKey::from_bytes(*key).ok_or(ShareKeysError::Key(place + 1)))
            .collect::<Result<_, _>>()?;
        let indices: Vec<NonZeroU8> =
            (1..=u8::MAX).filter_map(NonZeroU8::new).take(holders).collect();
        let (first, further) = indices.split_at(threshold);
        let points = || keys.iter().take(threshold).map(|key| &key.point);
        let fits = further.iter().zip(&keys[threshold..]).all(|(index, key)| {
            let lagrange = Lagrange::new(index.get(), first);
            lagrange.sum(points()) == key.point * lagrange.denominator()
        });
        if !fits || Lagrange::new(0, first).sum(points()).is_identity() {
            return Err(ShareKeysError::NotOneKey(threshold));
        }
        Ok(Self { threshold, keys })
    }

    /// How many holders must answer.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The key of one holder, if there is one with this index.
    pub fn get(&self, holder: NonZeroU8) -> Option<&ShareKey> {
        self.keys.get(usize::from(holder.get()) - 1)
    }
}

impl fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareKey({})", hex::encode(self.bytes))
    }
}

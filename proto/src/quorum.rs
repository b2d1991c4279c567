//! Whom the log's checkpoints must be signed by: the log, and enough of the agencies as its witnesses
//! (PROTOCOL.md section 18.2).
//!
//! A [`Cosigned`] exists only where the quorum was verified.

use jiff::Timestamp;

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    cosignature::cosigned_at,
    manifest::Manifest,
    name::{AgencyId, ProgrammeId},
    note::{KeyName, NoteKey},
};

/// The log's key, its witnesses' keys, and how many of these must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    log: NoteKey,
    witnesses: Vec<(AgencyId, NoteKey)>,
    needed: usize,
}

/// A checkpoint that the quorum cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    checkpoint: Checkpoint,
    at: Timestamp,
}

/// Why a checkpoint is not a cosigned one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCosigned {
    /// It is not even the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too few of the witnesses signed.
    #[error(
        "{signed} of the manifest's witnesses cosigned the checkpoint, and {needed} must: whoever runs \
         the log may still change what it says"
    )]
    TooFew {
        /// Whose cosignature verifies.
        signed: usize,
        /// The quorum.
        needed: usize,
    },
}

/// Keys of which no quorum can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// Not a log of a programme.
    #[error("{0} is not the name of an access log, which ends in /log")]
    Log(KeyName),
    /// Not an agency of the log's programme.
    #[error(
        "{witness} is not a witness of {log}: its name is its programme's, a slash, and an agency's"
    )]
    Stranger {
        /// The witness.
        witness: KeyName,
        /// The log.
        log: KeyName,
    },
    /// One witness would count twice.
    #[error("{0} is given twice, and each agency counts once")]
    Twice(KeyName),
    /// Nobody, or more than there are.
    #[error("{needed} of {witnesses} witnesses must cosign: choose a number from 1 to {witnesses}")]
    Number {
        /// The quorum.
        needed: usize,
        /// How many witnesses there are.
        witnesses: usize,
    },
}

impl Quorum {
    /// These keys, `needed` of the witnesses': for whoever was given keys and no manifest.
    ///
    /// # Errors
    /// [`BadKeys`].
    pub fn of_keys(log: NoteKey, keys: Vec<NoteKey>, needed: usize) -> Result<Self, BadKeys> {
        let programme = log.name.as_str().strip_suffix("/log");
        let Some(programme) = programme.map(|programme| format!("{programme}/")) else {
            return Err(BadKeys::Log(log.name));
        };
        let mut witnesses: Vec<(AgencyId, NoteKey)> = Vec::new();
        for key in keys {
            let agency = key.name.as_str().strip_prefix(&programme);
            let Some(agency) = agency.and_then(|agency| agency.parse().ok()) else {
                return Err(BadKeys::Stranger { witness: key.name, log: log.name });
            };
            let twice =
                |(known, other): &(AgencyId, NoteKey)| *known == agency || other.key == key.key;
            if witnesses.iter().any(twice) {
                return Err(BadKeys::Twice(key.name));
            }
            witnesses.push((agency, key));
        }
        if needed == 0 || needed > witnesses.len() {
            return Err(BadKeys::Number { needed, witnesses: witnesses.len() });
        }
        Ok(Self { log, witnesses, needed })
    }

    /// What the federation manifest says.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        let programme = &manifest.scope.programme;
        let trust = manifest.log();
        let witness = |(id, agency): (&AgencyId, &crate::manifest::Agency)| {
            let name = witness_name(programme, id);
            (id.clone(), NoteKey { name, key: agency.witness_key })
        };
        Self {
            log: NoteKey { name: origin(programme), key: trust.key },
            witnesses: manifest.agencies().map(witness).collect(),
            needed: trust.quorum.get().into(),
        }
    }

    /// The log's name and key.
    pub fn log(&self) -> &NoteKey {
        &self.log
    }

    /// How many witnesses must cosign.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// The name and key of an agency as a witness.
    pub fn witness(&self, agency: &AgencyId) -> Option<&NoteKey> {
        self.witnesses.iter().find(|(id, _)| id == agency).map(|(_, key)| key)
    }

    /// The agencies that cosigned, and when.
    pub fn cosigners(&self, checkpoint: &Checkpoint) -> Vec<(&AgencyId, Timestamp)> {
        let witnesses = self.witnesses.iter();
        witnesses.filter_map(|(id, key)| Some((id, cosigned_at(checkpoint, key)?))).collect()
    }

    /// Takes a checkpoint of the log for a cosigned one, where the quorum signed it.
    ///
    /// # Errors
    /// [`NotCosigned::TooFew`].
    pub fn verify(&self, checkpoint: Checkpoint) -> Result<Cosigned, NotCosigned> {
        let mut times: Vec<_> = self.cosigners(&checkpoint).into_iter().map(|(_, at)| at).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let (signed, needed) = (times.len(), self.needed);
        match times.get(needed - 1) {
            Some(at) => Ok(Cosigned { checkpoint, at: *at }),
            None => Err(NotCosigned::TooFew { signed, needed }),
        }
    }

    /// Reads a checkpoint and verifies the log's signature and the quorum's.
    ///
    /// # Errors
    /// [`NotCosigned`].
    pub fn open(&self, note: &str) -> Result<Cosigned, NotCosigned> {
        self.verify(Checkpoint::open(note, &self.log)?)
    }
}

impl Cosigned {
    /// The checkpoint, with its cosignatures.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How many entries are in it: those below this index are witnessed.
    pub fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// At this time or later each witness of the quorum signed: as of then it knew no longer log.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// The log's name: the first line of its checkpoints.
pub fn origin(programme: &ProgrammeId) -> KeyName {
    format!("{programme}/log").parse().expect("a programme's name is a key's")
}

/// An agency's name as a witness, the same as on manifests.
pub fn witness_name(programme: &ProgrammeId, agency: &AgencyId) -> KeyName {
    format!("{programme}/{agency}").parse().expect("names of agencies and programmes are a key's")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        cosignature::cosign,
        merkle::{Hash, TreeHead},
        signing::SigningKey,
    };

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    fn name(agency: &str) -> KeyName {
        format!("demo/{agency}").parse().expect("a name")
    }

    const AGENCIES: [(&str, u8); 3] = [("aid", 2), ("police", 3), ("tax", 4)];

    fn quorum() -> Quorum {
        let witness = |(agency, seed): (&str, u8)| {
            let key = NoteKey { name: name(agency), key: key(seed).verifying_key() };
            (agency.parse().expect("a name"), key)
        };
        let log = NoteKey { name: name("log"), key: key(1).verifying_key() };
        Quorum { log, witnesses: AGENCIES.map(witness).to_vec(), needed: 2 }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    #[test]
    fn a_quorum_of_given_keys_counts_every_agency_of_the_programme_once() {
        let log = NoteKey { name: name("log"), key: key(1).verifying_key() };
        let witness =
            |agency: &str, seed| NoteKey { name: name(agency), key: key(seed).verifying_key() };
        let all = || AGENCIES.map(|(agency, seed)| witness(agency, seed)).to_vec();
        let of = |keys, needed| Quorum::of_keys(log.clone(), keys, needed);
        assert_eq!(of(all(), 2), Ok(quorum()));
        let twice = [all(), vec![witness("aid", 9)]].concat();
        assert_eq!(of(twice, 2), Err(BadKeys::Twice(name("aid"))));
        let one_key_under_two_names = [all(), vec![witness("fire", 2)]].concat();
        assert_eq!(of(one_key_under_two_names, 2), Err(BadKeys::Twice(name("fire"))));
        for needed in [0, 4] {
            assert_eq!(of(all(), needed), Err(BadKeys::Number { needed, witnesses: 3 }));
        }
        let other: KeyName = "other/aid".parse().expect("a name");
        let stranger = NoteKey { name: other.clone(), key: key(5).verifying_key() };
        let refused = BadKeys::Stranger { witness: other, log: name("log") };
        assert_eq!(of(vec![stranger], 1), Err(refused));
        assert_eq!(
            Quorum::of_keys(witness("aid", 2), all(), 2),
            Err(BadKeys::Log(name("aid"))),
            "a witness is no log"
        );
    }

    #[test]
    fn only_enough_different_witnesses_make_a_checkpoint_a_cosigned_one() {
        let head = TreeHead { size: 3, root: Hash([7; 32]) };
        let mut checkpoint = Checkpoint::sign(&name("log"), head, &key(1));
        let too_few = |signed| Err(NotCosigned::TooFew { signed, needed: 2 });
        assert_eq!(quorum().verify(checkpoint.clone()), too_few(0));
        for (second, (agency, seed)) in [(10, ("aid", 2)), (11, ("aid", 2)), (12, ("fire", 9))] {
            checkpoint.add(cosign(&checkpoint, (&name(agency), &key(seed)), at(second)));
        }
        checkpoint.add(cosign(&checkpoint, (&name("tax"), &key(9)), at(13)));
        assert_eq!(quorum().verify(checkpoint.clone()), too_few(1), "aid twice, fire and a forger");
        checkpoint.add(cosign(&checkpoint, (&name("police"), &key(3)), at(5)));
        let cosigned = quorum().open(&checkpoint.to_string()).expect("aid and police");
        assert_eq!(
            (cosigned.size(), cosigned.at()),
            (3, at(5)),
            "the quorum was full at the first"
        );

        let other = Checkpoint::sign(&name("log"), head, &key(8)).to_string();
        let refused = Err(NotCosigned::Checkpoint(CheckpointError::Signature));
        assert_eq!(quorum().open(&other), refused);
    }
}

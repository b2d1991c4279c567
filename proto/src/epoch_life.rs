//! When an epoch ends and when it is over (PROTOCOL.md section 16.1). Pure: the time is an argument.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::manifest::{Epoch, Manifest};

/// Between the end of an epoch, when the next one takes its place in any case, and the deletion of
/// what belongs to it: more than clocks differ.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

impl Epoch {
    /// The end of its last day, UTC.
    pub fn ends(&self) -> Timestamp {
        let midnight = self.until.tomorrow().and_then(|day| day.to_zoned_datetime(TimeZone::UTC));
        midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp())
    }
}

impl Manifest {
    /// Whether what belongs to an epoch may be deleted: the manifest lists a later one and, where it
    /// still lists this one, that ended a day ago. The last epoch is never over, whatever the clock
    /// shows.
    pub fn is_over(&self, epoch: u32, now: Timestamp) -> bool {
        let later = self.epochs().iter().any(|listed| listed.number > epoch);
        let listed = self.epochs().iter().find(|listed| listed.number == epoch);
        let ended = |listed: &Epoch| {
            listed.ends().checked_add(GRACE).is_ok_and(|deleted_at| deleted_at <= now)
        };
        later && listed.is_none_or(ended)
    }

    /// The manifest in each of its epochs that is not over, the present one first.
    pub fn in_live_epochs(&self, now: Timestamp) -> Vec<Self> {
        let live = self.epochs().iter().filter(|epoch| !self.is_over(epoch.number, now));
        live.filter_map(|epoch| self.in_epoch(epoch.number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(epochs: &[(u32, &str)]) -> Manifest {
        let example = include_str!("../vectors/federation.toml");
        let mut file = crate::manifest_file::ManifestFile::parse(example).expect("good");
        let epoch = |&(number, until): &(u32, &str)| Epoch {
            number,
            until: until.parse().expect("a day"),
            share_keys: vec![],
        };
        file.epochs = epochs.iter().map(epoch).collect();
        file.check().expect("good")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn an_epoch_is_over_a_day_after_its_last_and_only_once_a_later_one_is_listed() {
        let both = manifest(&[(1, "2027-12-31"), (2, "2028-12-31")]);
        assert_eq!(both.epochs()[0].ends(), at("2028-01-01T00:00:00Z"));
        assert!(!both.is_over(1, at("2028-01-01T23:59:59Z")));
        assert!(both.is_over(1, at("2028-01-02T00:00:00Z")));
        assert!(!both.is_over(2, Timestamp::MAX), "the last one never, whatever the clock shows");
        let alone = manifest(&[(1, "2027-12-31")]);
        assert!(!alone.is_over(1, Timestamp::MAX));
        let after = manifest(&[(2, "2028-12-31")]);
        assert!(after.is_over(1, Timestamp::MIN), "no longer listed, whatever the clock shows");
        let numbers = |now| {
            let live = both.in_live_epochs(now).into_iter();
            live.map(|manifest| manifest.scope.epoch).collect::<Vec<_>>()
        };
        assert_eq!(numbers(at("2027-01-01T00:00:00Z")), [1, 2]);
        assert_eq!(numbers(at("2028-01-02T00:00:00Z")), [2]);
    }
}

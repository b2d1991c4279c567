//! When a notification is tried again, and when no more.
//!
//! The delays are those of the example schedule of the Standard Webhooks specification: ten attempts within
//! about three days, and so within the time that most cases have.

use std::time::Duration;

use jiff::Timestamp;

use super::notice::NotificationId;
use crate::clock::later;

/// Delays after the first attempt, the second, and so on, in seconds.
const DELAYS: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];
/// The longest that a target can ask to be left alone for with `Retry-After`.
pub const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// How often a notification is tried.
pub const ATTEMPTS: u32 = DELAYS.len() as u32 + 1;

/// When the attempt after `attempts` of them is made, the last of which is made now; nothing where that
/// was the last.
///
/// A delay is up to a quarter longer than in the table, by the id: what failed together is not tried
/// together again, and a restart changes nothing.
pub fn next(id: NotificationId, attempts: u32, now: Timestamp) -> Option<Timestamp> {
    let number = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let delay = Duration::from_secs(*DELAYS.get(number)?);
    let spread = f64::from(id.0[number]) / 256.0 / 4.0;
    Some(later(now, delay.mul_f64(1.0 + spread)))
}

#[cfg(test)]
mod tests {
    use proto::hex_bytes::HexBytes;

    use super::*;

    #[test]
    fn attempts_grow_apart_spread_and_end() {
        let now = Timestamp::UNIX_EPOCH;
        let delays = |byte: u8| {
            let next = |attempts| next(HexBytes([byte; 16]), attempts, now);
            (1..ATTEMPTS).map(|n| next(n).expect("not the last").as_second()).collect::<Vec<_>>()
        };
        let (early, late) = (delays(0), delays(255));
        assert_eq!(early, [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert!(
            late.iter().zip(&early).all(|(late, early)| late >= early && *late < early * 5 / 4 + 1)
        );
        assert_eq!(late[1], 374);
        assert_eq!(next(HexBytes([0; 16]), ATTEMPTS, now), None);
        assert_eq!(next(HexBytes([0; 16]), 0, now), None, "nothing was tried yet");
    }
}

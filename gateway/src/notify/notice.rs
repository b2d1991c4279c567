//! A notice: that a case waits for somebody. And the id under which notices go to one target.
//!
//! Owns what may be told: an alert's number, a region, a due time. Whom it is told is `target`'s.

use jiff::Timestamp;
use proto::{
    alert_id::AlertId, case_event::Tier, hex_bytes::HexBytes, labels, lp::LengthPrefixed,
    region_code::RegionCode,
};
use serde::Deserialize;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A case was given to a region or an officer.
    Assigned,
    /// Something is due before long.
    DueSoon,
    /// It was not done in time: the tier above looks to it.
    Escalated,
    /// It was returned and must be given to somebody else.
    Returned,
    /// A disclosure waits for an approver.
    DisclosureToApprove,
}

/// That a case waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whose case.
    pub alert: AlertId,
    /// The number of the event in the case that is the reason.
    pub event: u64,
    /// What for.
    pub kind: Kind,
    /// Who looks to it now.
    pub tier: Tier,
    /// Where.
    pub region: RegionCode,
    /// By when.
    pub due_at: Option<Timestamp>,
    /// Since when.
    pub made_at: Timestamp,
}

/// The id of one or several notices to one target: the same for every attempt, also after a crash.
pub type NotificationId = HexBytes<16>;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Assigned, Self::DueSoon, Self::Escalated, Self::Returned, Self::DisclosureToApprove];

    /// The word for it in configurations, in the store and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::DueSoon => "due_soon",
            Self::Escalated => "escalated",
            Self::Returned => "returned",
            Self::DisclosureToApprove => "disclosure_to_approve",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The id under which these notices go to a target (PROTOCOL.md section 22.2).
pub fn notification_id<'a>(
    target: &str,
    notices: impl IntoIterator<Item = &'a Notice>,
) -> NotificationId {
    let material = LengthPrefixed::new().field(target.as_bytes());
    let material = notices.into_iter().fold(material, |material, notice| {
        material
            .field(notice.alert.as_str().as_bytes())
            .long_number(notice.event)
            .field(notice.kind.word().as_bytes())
    });
    let derived = blake3::derive_key(labels::NOTIFICATION_ID, material.as_bytes());
    HexBytes(derived[..16].try_into().expect("32 bytes have 16 first ones"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A notice that was made at the second `at`.
    pub(crate) fn notice(alert: &str, event: u64, kind: Kind, at: i64) -> Notice {
        Notice {
            alert: alert.parse().expect("an id"),
            event,
            kind,
            tier: Tier::Worker,
            region: "320104002003".parse().expect("a code"),
            due_at: Some(Timestamp::from_second(at + 3600).expect("a time")),
            made_at: Timestamp::from_second(at).expect("a time"),
        }
    }

    #[test]
    fn kinds_are_read_by_the_words_they_are_written_as() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(Kind::from_word("illness"), None);
    }

    #[test]
    fn an_id_never_changes_and_differs_by_target_event_and_kind() {
        let first = notice("AL-0123-ABCD-XYZ9", 2, Kind::Assigned, 0);
        let id = |target, notice| notification_id(target, [notice]);
        let golden = "96bc43a50060a7f5d74fc133abc6f171";
        assert_eq!(id("desk", &first).to_string(), golden);
        let later = Notice { made_at: Timestamp::MAX, ..first.clone() };
        assert_eq!(id("desk", &later), id("desk", &first), "times are no part of it");
        let next = Notice { event: 3, ..first.clone() };
        let other = Notice { kind: Kind::Returned, ..first.clone() };
        let both = notification_id("desk", [&first, &next]);
        let all =
            [id("desk", &first), id("duty", &first), id("desk", &next), id("desk", &other), both];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}

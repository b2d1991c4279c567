//! Every label that separates one derivation, signature or encryption from another.
//!
//! All of them, and only here; the golden test below is the reason a label never changes by accident.

/// BLAKE3 derive_key context of a root under suite `salted-hash` (PROTOCOL.md section 4.1).
pub const ROOT_SALTED_HASH: &str = "matching.v1 2026-11-24 root salted-hash";
/// BLAKE3 derive_key context of a root under suite `oprf` (PROTOCOL.md section 4.2).
pub const ROOT_OPRF: &str = "matching.v1 2026-11-27 root oprf";
/// BLAKE3 derive_key context of a person secret (PROTOCOL.md section 4.3).
pub const PERSON_SECRET: &str = "matching.v1 2026-11-24 person secret";
/// BLAKE3 derive_key context of a lookup tag (PROTOCOL.md section 4.4).
pub const LOOKUP_TAG: &str = "matching.v1 2026-11-24 lookup tag";
/// BLAKE3 derive_key context of a seal key (PROTOCOL.md section 4.4).
pub const SEAL_KEY: &str = "matching.v1 2026-11-24 seal key";
/// BLAKE3 derive_key context of a subject (PROTOCOL.md section 5).
pub const SUBJECT: &str = "matching.v1 2026-11-24 subject";
/// BLAKE3 derive_key context of a household member's pseudonym (PROTOCOL.md section 8).
pub const MEMBER: &str = "matching.v1 2026-11-24 household member";
/// Prefix of a sealed row's additional data (PROTOCOL.md section 7.1).
pub const SEALED_ROW: &str = "matching.v1 sealed row";
/// HPKE info of a salt grant (PROTOCOL.md section 6).
pub const SALT_GRANT_INFO: &str = "matching.v1 salt grant";
/// Prefix of the bytes a salt grant's owner signs (PROTOCOL.md section 6).
pub const SALT_GRANT_SIGNATURE: &str = "matching.v1 salt grant signature";
/// BLAKE3 derive_key context of an alert's id (PROTOCOL.md section 10).
pub const ALERT_ID: &str = "matching.v1 2026-11-24 alert id";
/// BLAKE3 derive_key context of a notification's id (PROTOCOL.md section 22.2).
pub const NOTIFICATION_ID: &str = "matching.v1 2026-11-27 notification id";
/// Prefix of the bytes a requester signs (PROTOCOL.md section 15.3).
pub const EVALUATION_SIGNATURE: &str = "matching.v1 evaluation request signature";
/// BLAKE3 derive_key context of a proof's nonce (PROTOCOL.md section 15.1).
pub const PROOF_NONCE: &str = "matching.v1 2026-11-27 evaluation proof nonce";
/// BLAKE3 derive_key context that names a key ceremony (PROTOCOL.md section 15.2).
pub const CEREMONY: &str = "matching.v1 2026-11-27 key ceremony";
/// HPKE info of a key contribution (PROTOCOL.md section 15.2).
pub const CONTRIBUTION_INFO: &str = "matching.v1 key contribution";
/// Prefix of the bytes a contributor signs (PROTOCOL.md section 15.2).
pub const CONTRIBUTION_SIGNATURE: &str = "matching.v1 key contribution signature";
/// BLAKE3 derive_key context of a contribution's commitments (PROTOCOL.md section 15.2).
pub const CONTRIBUTION_COMMITMENT: &str = "matching.v1 2026-11-27 key contribution commitment";
/// BLAKE3 derive_key context of a ceremony's transcript (PROTOCOL.md section 15.2).
pub const TRANSCRIPT: &str = "matching.v1 2026-11-27 key ceremony transcript";
/// BLAKE3 derive_key context of a subset's first seed (PROTOCOL.md section 15.2).
pub const SEED: &str = "matching.v1 2026-11-27 key seed";
/// BLAKE3 derive_key context of the next epoch's seed (PROTOCOL.md section 15.2).
pub const SEED_NEXT: &str = "matching.v1 2026-11-27 next key seed";
/// BLAKE3 derive_key context of a subset's part of the key (PROTOCOL.md section 15.2).
pub const KEY_PART: &str = "matching.v1 2026-11-27 key part";
/// Prefix of the bytes a watch agency signs when an epoch follows another (PROTOCOL.md section 16.3).
pub const SUCCESSION_SIGNATURE: &str = "matching.v1 succession signature";
/// BLAKE3 derive_key context of a disclosure request's digest (PROTOCOL.md section 21.2).
pub const DISCLOSURE_REQUEST: &str = "matching.v1 2026-11-27 disclosure request";
/// Prefix of the bytes that the officer who asks signs (PROTOCOL.md section 21.2).
pub const DISCLOSURE_REQUEST_SIGNATURE: &str = "matching.v1 disclosure request signature";
/// Prefix of the bytes that an approver signs (PROTOCOL.md section 21.2).
pub const DISCLOSURE_APPROVAL_SIGNATURE: &str = "matching.v1 disclosure approval signature";
/// HPKE info of contact details (PROTOCOL.md section 21.5).
pub const DISCLOSURE_INFO: &str = "matching.v1 disclosure";
/// Prefix of the bytes that an agency signs when it discloses (PROTOCOL.md section 21.5).
pub const DISCLOSURE_SIGNATURE: &str = "matching.v1 disclosure signature";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_distinct_and_never_change() {
        let all = [
            ROOT_SALTED_HASH,
            ROOT_OPRF,
            PERSON_SECRET,
            LOOKUP_TAG,
            SEAL_KEY,
            SUBJECT,
            MEMBER,
            SEALED_ROW,
            SALT_GRANT_INFO,
            SALT_GRANT_SIGNATURE,
            ALERT_ID,
            NOTIFICATION_ID,
            EVALUATION_SIGNATURE,
            PROOF_NONCE,
            CEREMONY,
            CONTRIBUTION_INFO,
            CONTRIBUTION_SIGNATURE,
            CONTRIBUTION_COMMITMENT,
            TRANSCRIPT,
            SEED,
            SEED_NEXT,
            KEY_PART,
            SUCCESSION_SIGNATURE,
            DISCLOSURE_REQUEST,
            DISCLOSURE_REQUEST_SIGNATURE,
            DISCLOSURE_APPROVAL_SIGNATURE,
            DISCLOSURE_INFO,
            DISCLOSURE_SIGNATURE,
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(
            blake3::hash(all.join("\n").as_bytes()).to_hex().as_str(),
            "b96d4a10f1b08feedb4f2e43145d8a08d15024b069341446b530c7b52b612b6b"
        );
    }
}

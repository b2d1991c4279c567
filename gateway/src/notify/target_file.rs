//! The `[[notify]]` tables of gateway.toml as they are written. What they mean is `target`'s.

use std::{collections::BTreeMap, path::PathBuf};

use proto::{case_event::Tier, name::TargetId, region_code::RegionCode};
use serde::Deserialize;

use super::{message::Lang, notice::Kind, sms::Form, smtp::Security};

/// One `[[notify]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTarget {
    pub(super) name: TargetId,
    #[serde(default)]
    pub(super) kinds: Vec<Kind>,
    #[serde(default)]
    pub(super) tiers: Vec<Tier>,
    #[serde(default)]
    pub(super) regions: Vec<RegionCode>,
    pub(super) digest: Option<String>,
    pub(super) link: Option<String>,
    #[serde(default)]
    pub(super) lang: Lang,
    pub(super) webhook: Option<FileWebhook>,
    pub(super) sms: Option<FileSms>,
    pub(super) smtp: Option<FileSmtp>,
}

/// `[notify.webhook]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileWebhook {
    pub(super) url: String,
    pub(super) secrets: Vec<PathBuf>,
    pub(super) trust: Option<PathBuf>,
}

/// `[notify.sms]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSms {
    pub(super) url: String,
    #[serde(default)]
    pub(super) form: Form,
    pub(super) fields: BTreeMap<String, String>,
    pub(super) authorization: Option<PathBuf>,
    pub(super) accepted: Option<String>,
    pub(super) trust: Option<PathBuf>,
}

/// `[notify.smtp]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSmtp {
    pub(super) host: String,
    pub(super) port: u16,
    #[serde(default)]
    pub(super) security: Security,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<PathBuf>,
    pub(super) trust: Option<PathBuf>,
}

//! A target: who is told what, and how. Read from the `[[notify]]` tables of gateway.toml with the files
//! that they name.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use jiff::SignedDuration;
use lettre::{message::Mailbox, transport::smtp::authentication::Credentials};
use proto::{case_event::Tier, name::TargetId, region_code::RegionCode};
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use super::{
    channel::Channel,
    http::Endpoint,
    message::{Lang, Template},
    notice::{Kind, Notice},
    sms::Sms,
    smtp::{Server, Smtp},
    target_file::{FileSms, FileSmtp, FileTarget, FileWebhook},
    webhook::{Secret, Webhook},
};

/// A secret's file is not longer, in bytes.
const SECRET: u64 = 4096;
/// The longest period of a digest.
const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 3600);

/// Who is told, what, and how.
pub struct Target {
    /// Its name and what it wants.
    pub wish: Wish,
    /// Where an alert can be read, with `{alert}` for its number.
    pub link: Option<Template>,
    /// The language that it is told in.
    pub lang: Lang,
    /// The way there.
    pub channel: Channel,
}

/// What a target wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The target's name.
    pub target: TargetId,
    /// Kinds; none for all.
    pub kinds: Vec<Kind>,
    /// Tiers; none for all.
    pub tiers: Vec<Tier>,
    /// Regions by their codes' first digits; none for everywhere.
    pub regions: Vec<RegionCode>,
    /// At most one notification in this time, with everything since the one before.
    pub digest: Option<Duration>,
}

impl Wish {
    /// Whether a notice is for the target.
    pub fn wants(&self, notice: &Notice) -> bool {
        let within = |prefix: &RegionCode| notice.region.is_within(prefix.as_str());
        (self.kinds.is_empty() || self.kinds.contains(&notice.kind))
            && (self.tiers.is_empty() || self.tiers.contains(&notice.tier))
            && (self.regions.is_empty() || self.regions.iter().any(within))
    }
}

/// Reads all targets; paths are relative to `directory`.
///
/// # Errors
/// Names the target and what is wrong with it.
pub fn read(files: Vec<FileTarget>, directory: &Path) -> anyhow::Result<Vec<Target>> {
    let mut targets: Vec<Target> = vec![];
    for file in files {
        let name = file.name.clone();
        ensure!(
            targets.iter().all(|target| target.wish.target != name),
            "[[notify]] {name} occurs twice"
        );
        targets.push(target(file, directory).with_context(|| format!("[[notify]] {name}"))?);
    }
    Ok(targets)
}

fn target(file: FileTarget, directory: &Path) -> anyhow::Result<Target> {
    let link = file.link.as_deref().map(link).transpose()?;
    let lang = file.lang;
    let channel = match (file.webhook, file.sms, file.smtp) {
        (Some(file), None, None) => Channel::Webhook(webhook(&file, directory)?),
        (None, Some(file), None) => {
            let sms = sms(file, lang, directory)?;
            let linked = link.is_some() || !sms.fields.values().any(Template::has_link);
            ensure!(linked, "a field tells {{link}}, and the target has no link");
            Channel::Sms(sms)
        }
        (None, None, Some(file)) => Channel::Smtp(smtp(&file, lang, directory)?),
        _ => bail!("needs exactly one of webhook, sms and smtp"),
    };
    let wish = Wish {
        target: file.name,
        kinds: file.kinds,
        tiers: file.tiers,
        regions: file.regions,
        digest: file.digest.as_deref().map(period).transpose()?,
    };
    Ok(Target { wish, link, lang, channel })
}

fn period(text: &str) -> anyhow::Result<Duration> {
    let period = text.parse::<SignedDuration>().ok().and_then(|p| Duration::try_from(p).ok());
    let period = period.filter(|period| !period.is_zero() && *period <= LONGEST_PERIOD);
    period.context("digest must be a time of up to 24 hours, as in `1h`")
}

fn link(text: &str) -> anyhow::Result<Template> {
    ensure!(text.starts_with("https://"), "link must begin with https://");
    ensure!(!text.contains(char::is_whitespace), "link must be an address, without spaces");
    let plain = text.replace("{alert}", "");
    ensure!(!plain.contains(['{', '}']), "link has no other placeholder than {{alert}}");
    Template::new(text).map_err(anyhow::Error::msg)
}

fn webhook(file: &FileWebhook, directory: &Path) -> anyhow::Result<Webhook> {
    ensure!(
        (1..=2).contains(&file.secrets.len()),
        "webhook.secrets names one file, or two while the secret is replaced"
    );
    let secrets = file.secrets.iter().map(|path| {
        let path = directory.join(path);
        let secret = Secret::parse(secret(&path)?.as_str());
        let form = "does not hold whsec_ and the base64 of 24 to 64 bytes";
        secret.with_context(|| format!("{} {form}", path.display()))
    });
    let secrets = secrets.collect::<anyhow::Result<_>>()?;
    Ok(Webhook::new(Endpoint::new(&file.url, trust(&file.trust, directory).as_deref())?, secrets))
}

fn sms(file: FileSms, lang: Lang, directory: &Path) -> anyhow::Result<Sms> {
    let template = |(name, text): (String, String)| {
        let template = Template::new(&text).map_err(anyhow::Error::msg);
        Ok((name.clone(), template.with_context(|| format!("sms.fields.{name}"))?))
    };
    let fields = file.fields.into_iter().map(template).collect::<anyhow::Result<_>>()?;
    let authorization = file.authorization.map(|path| {
        let path = directory.join(path);
        let value = HeaderValue::from_str(secret(&path)?.as_str());
        let mut value =
            value.ok().with_context(|| format!("{} is no header's value", path.display()))?;
        value.set_sensitive(true);
        anyhow::Ok(value)
    });
    Ok(Sms {
        endpoint: Endpoint::new(&file.url, trust(&file.trust, directory).as_deref())?,
        fields,
        form: file.form,
        authorization: authorization.transpose()?,
        accepted: file.accepted.filter(|text| !text.is_empty()),
        lang,
    })
}

fn smtp(file: &FileSmtp, lang: Lang, directory: &Path) -> anyhow::Result<Smtp> {
    let mailbox = |text: &str, field: &str| {
        text.parse::<Mailbox>().ok().with_context(|| format!("smtp.{field} has no mail address"))
    };
    let to = file.to.iter().map(|to| mailbox(to, "to")).collect::<anyhow::Result<_>>()?;
    let credentials = match (&file.username, &file.password) {
        (None, None) => None,
        (Some(name), Some(path)) => {
            let password = secret(&directory.join(path))?;
            Some(Credentials::new(name.clone(), password.to_string()))
        }
        _ => bail!("smtp.username and smtp.password, a file, are given together or not at all"),
    };
    let trust = trust(&file.trust, directory);
    let server = Server {
        host: &file.host,
        port: file.port,
        security: file.security,
        trust: trust.as_deref(),
        credentials,
    };
    Smtp::new(server, (mailbox(&file.from, "from")?, to), lang)
}

fn trust(file: &Option<std::path::PathBuf>, directory: &Path) -> Option<std::path::PathBuf> {
    file.as_ref().map(|path| directory.join(path))
}

/// The text of a file that nobody else may read.
fn secret(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let named = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(named)?;
    let mode = fs::metadata(path).with_context(named)?.permissions().mode();
    ensure!(mode & 0o077 == 0, "{} can be read by others: run `chmod 600` on it", path.display());
    // Room for all of it: no copy stays behind in a grown buffer.
    let mut text = Zeroizing::new(String::with_capacity(SECRET as usize + 1));
    file.take(SECRET).read_to_string(&mut text).with_context(named)?;
    ensure!(!text.trim().is_empty(), "{} is empty", path.display());
    Ok(Zeroizing::new(text.trim().to_owned()))
}

//! `agency-adapter manifest ...`: draft, sign, verify, show and compare federation manifests.
//!
//! Results go to whoever called, as text or JSON. Only `sign` writes, and only after it was confirmed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use proto::{
    manifest_file::ManifestFile,
    scope::Suite,
    signed_manifest::{CannotSign, NotAccepted, SignedManifest},
};
use serde_json::json;

use crate::{
    accepted_manifest::{self, AcceptedManifestError},
    config::{Config, ConfigError},
    key_holder::holder::{self, ShareError},
    keys::{Keys, KeysError},
    lang::Lang,
    manifest_change::{Change, changes},
    manifest_draft::{self, DraftError},
    manifest_view::{self, Verification},
};

/// What can be done with a manifest.
#[derive(Debug, Subcommand)]
pub enum ManifestCommand {
    /// Put a manifest together and print it: from a signed manifest or what its keeper wrote, and the
    /// blocks that agencies sent. A later file replaces values of the files before it. 起草清单
    Draft {
        /// TOML files; where the first is a signed manifest, its version is raised.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Add this agency's signature to a draft or to what other holders signed, in place; shows first
    /// what is different from the manifest accepted here. 签名
    Sign {
        /// The draft.
        file: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Say who signed a manifest and who did not, and whether it is accepted here. 核验
    Verify {
        /// Which; the configured one where none is named.
        file: Option<PathBuf>,
    },
    /// Show what a manifest says. 显示清单
    Show {
        /// Which; the configured one where none is named.
        file: Option<PathBuf>,
    },
    /// Show what is different between two manifests. 比较两份清单
    Diff {
        /// The older.
        before: PathBuf,
        /// The newer.
        after: PathBuf,
    },
}

/// What came of a command.
#[derive(Debug)]
pub struct Reply {
    /// The result.
    pub text: String,
    /// The result for programs.
    pub json: serde_json::Value,
    /// Nothing must be mended.
    pub good: bool,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ManifestCommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A manifest, or the memory of one.
    #[error(transparent)]
    Manifest(#[from] AcceptedManifestError),
    /// The pieces of a draft.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The own keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The own signature would not count.
    #[error("{}: {source}", path.display())]
    CannotSign {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CannotSign,
    },
    /// No signature would help.
    #[error("{} can never be accepted here, whoever signs it: {source}", path.display())]
    NeverAccepted {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NotAccepted,
    },
    /// It says something else of this agency's key share than the state directory.
    #[error("{}: {source}", path.display())]
    OwnShare {
        /// The file.
        path: PathBuf,
        /// What.
        source: ShareError,
    },
    /// Nobody said yes.
    #[error("not signed: it was not confirmed. Where nobody can be asked, read it and use --yes")]
    NotConfirmed,
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// Asks whoever is at the terminal; is given what to show them.
pub type Confirm<'c> = &'c mut dyn FnMut(&str) -> bool;

/// Carries a command out. The configuration is read where it is needed.
///
/// # Errors
/// [`ManifestCommandError`].
pub fn run(
    command: &ManifestCommand,
    config: &Path,
    lang: Lang,
    confirm: Confirm<'_>,
) -> Result<Reply, ManifestCommandError> {
    match command {
        ManifestCommand::Draft { files } => {
            let draft = manifest_draft::draft(files)?;
            let json = json!({ "version": draft.version, "draft": draft.to_string() });
            Ok(Reply { text: draft.to_string(), json, good: true })
        }
        ManifestCommand::Sign { file, yes } => {
            sign(&Config::read(config)?, file, lang, &mut |question| *yes || confirm(question))
        }
        ManifestCommand::Verify { file } => {
            let config = Config::read(config)?;
            let signed = accepted_manifest::parse(file.as_ref().unwrap_or(&config.manifest))?;
            let last = accepted_manifest::last(&config.state_dir)?;
            let verification = Verification::of(&signed, last.as_ref());
            let good = verification.problem.is_none();
            Ok(Reply { text: verification.text(lang), json: json!(verification), good })
        }
        ManifestCommand::Show { file } => {
            let signed = match file {
                Some(file) => accepted_manifest::parse(file)?,
                None => accepted_manifest::parse(&Config::read(config)?.manifest)?,
            };
            Ok(show(&signed, lang))
        }
        ManifestCommand::Diff { before, after } => {
            let (before, after) =
                (accepted_manifest::parse(before)?, accepted_manifest::parse(after)?);
            let changes = changes(&before, &after);
            Ok(Reply { text: listed(&changes, lang), json: json!(changes), good: true })
        }
    }
}

fn show(signed: &SignedManifest, lang: Lang) -> Reply {
    let verification = Verification::of(signed, None);
    let manifest = manifest_view::text(signed.manifest(), lang);
    let text = format!("{manifest}{}", signatures(&verification, lang));
    let file = ManifestFile::parse(signed.body()).ok();
    let (sha256, signed) = (verification.sha256, verification.signed);
    let json = json!({ "sha256": sha256, "signed": signed, "manifest": file });
    Reply { text, json, good: true }
}

fn sign(
    config: &Config,
    path: &Path,
    lang: Lang,
    confirm: Confirm<'_>,
) -> Result<Reply, ManifestCommandError> {
    let mut signed = accepted_manifest::parse(path)?;
    let keys = Keys::read(&config.state_dir)?;
    signed
        .sign(&config.agency, &keys.signing)
        .map_err(|source| ManifestCommandError::CannotSign { path: path.into(), source })?;
    let last = accepted_manifest::last(&config.state_dir)?;
    if let Some(last) = &last {
        signed
            .may_follow(last)
            .map_err(|source| ManifestCommandError::NeverAccepted { path: path.into(), source })?;
    }
    let first = last.as_ref().is_none_or(|last| last.manifest().scope.suite != Suite::Oprf);
    holder::may_sign((&config.state_dir, &config.agency), signed.manifest(), first)
        .map_err(|source| ManifestCommandError::OwnShare { path: path.into(), source })?;
    let shown = match &last {
        Some(last) => listed(&changes(last, &signed), lang),
        None => manifest_view::text(signed.manifest(), lang),
    };
    let verification = Verification::of(&signed, last.as_ref());
    if !confirm(&format!("{shown}SHA-256: {}", verification.sha256)) {
        return Err(ManifestCommandError::NotConfirmed);
    }
    replace(path, &signed.to_string())
        .map_err(|source| ManifestCommandError::Write { path: path.into(), source })?;
    Ok(Reply { text: verification.text(lang), json: json!(verification), good: true })
}

fn signatures(verification: &Verification, lang: Lang) -> String {
    let signed: Vec<_> = verification.signed.iter().map(ToString::to_string).collect();
    let (signed, sha256) = (signed.join(", "), &verification.sha256);
    lang.pick(
        format!("有效签名：{signed}\n正文 SHA-256：{sha256}\n"),
        format!("valid signatures: {signed}\nSHA-256 of the text: {sha256}\n"),
    )
}

fn listed(changes: &[Change], lang: Lang) -> String {
    if changes.is_empty() {
        return lang.pick("内容相同\n", "both say the same\n").to_owned();
    }
    changes.iter().map(|change| format!("{change}\n")).collect()
}

/// In one step, and for the same readers as before: a manifest is no secret.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::metadata(path)?.permissions())?;
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    /// An agency that holds the manifest alone, the path of its configuration, and a draft beside it
    /// that is the manifest in place with a change.
    fn draft(change: &str) -> (tempfile::TempDir, Config, PathBuf, PathBuf) {
        let (directory, _people, config, _clock) = fixture::agency();
        let path = directory.path().join("change.toml");
        fs::write(&path, change).expect("written");
        let command = ManifestCommand::Draft { files: vec![config.manifest.clone(), path.clone()] };
        let adapter = directory.path().join("adapter.toml");
        let drafted = run(&command, &adapter, Lang::En, &mut |_| false).expect("drafted");
        fs::write(&path, drafted.text).expect("written");
        (directory, config, adapter, path)
    }

    #[test]
    fn a_change_is_drafted_signed_verified_and_put_in_place() {
        let (_directory, config, adapter, path) = draft("[log]\nquorum = 3\n");
        let mut asked = String::new();
        let verify = ManifestCommand::Verify { file: Some(path.clone()) };
        let mut run = |command: &ManifestCommand| {
            run(command, &adapter, Lang::En, &mut |shown| {
                asked = shown.to_owned();
                true
            })
        };
        let before = run(&verify).expect("read");
        assert!(!before.good && before.text.contains("not signed by: aid"), "{}", before.text);
        let signed =
            run(&ManifestCommand::Sign { file: path.clone(), yes: false }).expect("signed");
        let after = run(&verify).expect("read");
        assert!(after.good && after.text.contains("signed by: aid"), "{}", after.text);
        assert!(after.text.contains("accepted here before: version 1"), "{}", after.text);
        assert_eq!(signed.text, after.text);
        assert!(asked.contains("~ log quorum: 2 -> 3\n~ version: 1 -> 2\n"), "{asked}");
        fs::rename(&path, &config.manifest).expect("put in place");
        crate::agency::Agency::open(&config).expect("accepted");
    }

    #[test]
    fn nothing_is_signed_that_nobody_confirmed() {
        let (_directory, _config, adapter, path) = draft("[log]\nquorum = 3\n");
        let before = fs::read_to_string(&path).expect("there");
        let sign = ManifestCommand::Sign { file: path.clone(), yes: false };
        let refused = run(&sign, &adapter, Lang::En, &mut |_| false);
        assert!(matches!(refused, Err(ManifestCommandError::NotConfirmed)));
        assert_eq!(fs::read_to_string(&path).expect("there"), before);
    }

    #[test]
    fn what_a_signature_cannot_mend_is_not_signed() {
        let (_directory, _config, adapter, path) = draft("[log]\nquorum = 3\n");
        let text = fs::read_to_string(&path).expect("there");
        let refused = |text: &str| {
            fs::write(&path, text).expect("written");
            let sign = ManifestCommand::Sign { file: path.clone(), yes: true };
            run(&sign, &adapter, Lang::En, &mut |_| true).expect_err("refused").to_string()
        };
        let problem = refused(&text.replace("version = 2", "version = 1"));
        assert!(problem.contains("never be accepted here, whoever signs it"), "{problem}");
        let problem = refused(&text.replace("agencies = [\"aid\"]", "agencies = [\"tax\"]"));
        assert!(problem.contains("aid is no holder of this manifest"), "{problem}");
    }
}

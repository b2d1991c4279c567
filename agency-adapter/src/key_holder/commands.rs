//! `agency-adapter key-holder ...`: the ceremony, share keys, and who used how much.
//!
//! Results go to whoever called, as text and as JSON; notes for people beside them.

use std::{
    num::NonZeroU8,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use proto::{manifest::Ceremony as Manner, name::AgencyId};
use serde_json::{Value, json};

use super::{
    ceremony::{Ceremony, CeremonyError},
    contribution::{Contribution, ContributionError, short},
    directory,
    finish::{FinishError, finish},
    journal::{Journal, JournalError},
    ledger::Ledger,
    pending::{self, PendingError},
    seeds::{Seeds, SeedsError},
};
use crate::{
    agency,
    clock::Clock,
    config::{self, Config, ConfigError},
    keys::{Keys, KeysError},
    lang::Lang,
};

/// What a key holder can be asked to do.
#[derive(Debug, Subcommand)]
pub enum KeyHolderCommand {
    /// Begin a key ceremony: make this agency's secrets and print the file for all other holders. May be
    /// run again; the secrets stay. 密钥仪式第一步
    Contribute {
        /// The draft of the manifest, the same for all holders; share keys are not in it yet.
        #[arg(long, value_name = "FILE")]
        draft: PathBuf,
    },
    /// End a key ceremony with the files of all holders, and print this agency's share key for the
    /// manifest. 密钥仪式第二步
    Finish {
        /// The draft with which the ceremony began.
        #[arg(long, value_name = "FILE")]
        draft: PathBuf,
        /// What the other holders' `contribute` printed.
        #[arg(required = true, value_name = "CONTRIBUTION")]
        contributions: Vec<PathBuf>,
    },
    /// For a demo only: make the whole key in one place and print the file for all holders' `finish`.
    /// The manifest must say ceremony = "trusted-dealer". 仅供演示
    Deal {
        /// The draft of the manifest; its first holder deals.
        #[arg(long, value_name = "FILE")]
        draft: PathBuf,
    },
    /// Print this agency's share key of an epoch, for the manifest. 显示份额公钥
    ShareKeys {
        /// Which; where not given, the oldest of which there is one.
        #[arg(long)]
        epoch: Option<u32>,
    },
    /// Show how much each agency has had evaluated. 显示用量
    Usage,
    /// Answer again after the journal was restored, copied or lost; what was used since is not counted.
    /// 恢复用量记录后继续应答
    Resume,
}

/// What came of a command.
pub struct Outcome {
    /// For people, beside the result.
    pub notes: Vec<String>,
    /// The result.
    pub text: String,
    /// The result for programs.
    pub json: Value,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file that cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The own keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The draft.
    #[error("{}: {problem}", path.display())]
    Draft {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CeremonyError,
    },
    /// This agency has no part in the ceremony.
    #[error(
        "the draft does not name {0} as a key holder: a ceremony is for the agencies in its [holders]"
    )]
    NotHolder(AgencyId),
    /// This agency holds no share.
    #[error("the manifest does not name {0} as a key holder: only holders count what others use")]
    HoldsNothing(AgencyId),
    /// The draft has other keys for this agency.
    #[error(
        "the draft has another {field} for {agency} than the state directory: have it written with the \
         output of `agency-adapter public-keys`"
    )]
    OtherKeys {
        /// This agency.
        agency: AgencyId,
        /// Which key.
        field: &'static str,
    },
    /// `contribute` and `deal` are for different ceremonies.
    #[error("{0}")]
    Manner(&'static str),
    /// Seeds are never replaced.
    #[error(
        "this agency has seeds of another ceremony ({0}) and they are never replaced. If the holders of \
         that ceremony gave it up for good, move key-holder/seeds out of the state directory"
    )]
    OtherSeeds(String),
    /// No ceremony was held.
    #[error("there are no seeds in the state directory: hold the key ceremony first")]
    NoSeeds,
    /// A contribution that is not one.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A draft's key.
    #[error(transparent)]
    Contribution(#[from] ContributionError),
    /// The own part.
    #[error(transparent)]
    Pending(#[from] PendingError),
    /// The ceremony.
    #[error(transparent)]
    Finish(#[from] FinishError),
    /// Seeds.
    #[error(transparent)]
    Seeds(#[from] SeedsError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Runs a command.
///
/// # Errors
/// [`CommandError`]; nothing was changed then.
pub fn run(
    command: &KeyHolderCommand,
    config: &Config,
    clock: &Clock,
    lang: Lang,
) -> Result<Outcome, CommandError> {
    match command {
        KeyHolderCommand::Contribute { draft } => {
            contribute(config, draft, Manner::Distributed, lang)
        }
        KeyHolderCommand::Deal { draft } => contribute(config, draft, Manner::TrustedDealer, lang),
        KeyHolderCommand::Finish { draft, contributions } => {
            finish_ceremony(config, draft, contributions, (clock, lang))
        }
        KeyHolderCommand::ShareKeys { epoch } => {
            let seeds = Seeds::read(&config.state_dir)?.ok_or(CommandError::NoSeeds)?;
            share_key(config, &seeds, epoch.unwrap_or(seeds.epoch()))
        }
        KeyHolderCommand::Usage => {
            check_holds(config)?;
            Ok(usage(config, lang))
        }
        KeyHolderCommand::Resume => {
            check_holds(config)?;
            Journal::resume(&directory(&config.state_dir), clock.now())?;
            let note = lang.pick(
                "已记入用量日志：此后按现有记录继续应答",
                "noted in the journal: requests are answered again, by what is counted there",
            );
            let outcome =
                Outcome { notes: vec![note.to_owned()], text: String::new(), json: json!({}) };
            Ok(outcome)
        }
    }
}

/// The ceremony of a draft, this agency's place in it, and its keys.
fn ceremony(config: &Config, draft: &Path) -> Result<(Ceremony, NonZeroU8, Keys), CommandError> {
    let text = String::from_utf8_lossy(&config::contents(draft)?).into_owned();
    let ceremony = Ceremony::of_draft(&text)
        .map_err(|problem| CommandError::Draft { path: draft.into(), problem })?;
    let agency = || config.agency.clone();
    let index = ceremony.index_of(&config.agency);
    let index = index.ok_or_else(|| CommandError::NotHolder(agency()))?;
    let keys = Keys::read(&config.state_dir)?;
    let (listed, own) = (ceremony.holder(index), keys.public());
    if listed.signing_key != own.signing {
        return Err(CommandError::OtherKeys { agency: agency(), field: "signing_key" });
    }
    if listed.hpke_key.to_bytes() != own.hpke {
        return Err(CommandError::OtherKeys { agency: agency(), field: "hpke_key" });
    }
    Ok((ceremony, index, keys))
}

fn contribute(
    config: &Config,
    draft: &Path,
    manner: Manner,
    lang: Lang,
) -> Result<Outcome, CommandError> {
    let (ceremony, index, keys) = ceremony(config, draft)?;
    match (manner, ceremony.manner) {
        (Manner::Distributed, Manner::TrustedDealer) => {
            return Err(CommandError::Manner(
                "the draft says ceremony = \"trusted-dealer\": its first holder runs `deal`, and nobody \
                 contributes. A real deployment says \"distributed\"",
            ));
        }
        (Manner::TrustedDealer, Manner::Distributed) => {
            return Err(CommandError::Manner(
                "the draft says ceremony = \"distributed\": every holder runs `contribute`. A dealer would \
                 have the whole key",
            ));
        }
        _ if !ceremony.all_contributors().contains(&index) => {
            return Err(CommandError::Manner("the draft's first holder deals, and nobody else"));
        }
        _ => {}
    }
    let secrets = pending::create(&config.state_dir, &ceremony, index)?;
    let contribution = Contribution::seal(&ceremony, (index, &keys.signing), &secrets)?;
    let (id, text) = (short(&ceremony.id()), contribution.to_text());
    let others = ceremony.sharing.indices().filter(|other| *other != index);
    let others: Vec<String> = others.map(|other| ceremony.holder(other).id.to_string()).collect();
    let note = lang.pick(
        format!(
            "密钥仪式 {id}：请电话核对各持有方的编号一致，再把输出的文件发给 {}。文件可以公开传送",
            others.join("、")
        ),
        format!(
            "ceremony {id}: see by telephone that all holders have this id, and send the printed file to \
             {}. It may be sent openly",
            others.join(", ")
        ),
    );
    let json = json!({ "ceremony": id, "to": others, "contribution": text });
    Ok(Outcome { notes: vec![note], text, json })
}

fn finish_ceremony(
    config: &Config,
    draft: &Path,
    files: &[PathBuf],
    (clock, lang): (&Clock, Lang),
) -> Result<Outcome, CommandError> {
    let (ceremony, index, keys) = ceremony(config, draft)?;
    let contribution = |path: &PathBuf| {
        let text = String::from_utf8_lossy(&config::contents(path)?).into_owned();
        Contribution::parse(&text, &ceremony)
            .map_err(|problem| CommandError::File { path: path.clone(), problem })
    };
    let contributions = files.iter().map(contribution).collect::<Result<Vec<_>, _>>()?;
    let own = pending::read(&config.state_dir, &ceremony, index)?;
    let finished = finish(&ceremony, (index, &keys.hpke), own, &contributions)?;
    match Seeds::read(&config.state_dir)? {
        None => {
            // First the journal: seeds without one mean that it was lost.
            Journal::begin(&directory(&config.state_dir), clock.now())?;
            finished.seeds.write(&config.state_dir)?;
        }
        // As an earlier run left them.
        Some(seeds) if seeds == finished.seeds => {}
        Some(seeds) => {
            let other = seeds.origin().ceremony.chars().take(16).collect();
            return Err(CommandError::OtherSeeds(other));
        }
    }
    let transcript = short(&finished.transcript);
    let note = lang.pick(
        format!("仪式完成，记录编号 {transcript}：各持有方应完全相同。请把下面的份额公钥交给清单保管方，并备份状态目录"),
        format!(
            "done, transcript {transcript}: all holders must have the same. Send the share key below to the \
             manifest's keeper, and back the state directory up"
        ),
    );
    let mut outcome = share_key(config, &finished.seeds, ceremony.epoch)?;
    outcome.notes.push(note);
    outcome.json["transcript"] = transcript.into();
    Ok(outcome)
}

fn share_key(config: &Config, seeds: &Seeds, epoch: u32) -> Result<Outcome, CommandError> {
    let key = hex::encode(seeds.share(epoch)?.public().to_bytes());
    let (origin, agency) = (seeds.origin(), &config.agency);
    let (index, holders) = (origin.index, origin.sharing.holders());
    let text = format!(
        "# {agency}: holder {index} of {holders}\n[[share_key]]\nepoch = {epoch}\nholder = {index}\n\
         key = \"{key}\""
    );
    let json = json!({ "agency": agency, "epoch": epoch, "holder": index, "key": key });
    Ok(Outcome { notes: vec![], text, json })
}

/// Where the manifest can be read; what was counted is worth seeing without it, too.
fn check_holds(config: &Config) -> Result<(), CommandError> {
    match agency::read_manifest(config) {
        Ok(manifest) if manifest.holder_index(&config.agency).is_none() => {
            Err(CommandError::HoldsNothing(config.agency.clone()))
        }
        _ => Ok(()),
    }
}

fn usage(config: &Config, lang: Lang) -> Outcome {
    let (usage, read) = Ledger::usage(&directory(&config.state_dir));
    // What was used is worth seeing without a manifest.
    let manifest = agency::read_manifest(config).ok();
    let quota = |agency| manifest.as_ref()?.agency(agency).map(|agency| agency.quota);
    let width = usage.iter().map(|account| account.requester.as_str().len()).max().unwrap_or(0);
    let mut text = lang
        .pick("期 部门 已用/额度 末批编号\n", "epoch agency used/quota last number\n")
        .to_owned();
    let mut accounts = vec![];
    for account in &usage {
        let (epoch, requester, used) = (account.epoch, &account.requester, account.used);
        let (quota, last) = (quota(requester), account.last_number);
        let shown = quota.map_or("-".to_owned(), |quota| quota.to_string());
        text +=
            &format!("{epoch:>5} {:width$} {used:>10} / {shown:<10} {last}\n", requester.as_str());
        accounts.push(json!({
            "epoch": epoch, "agency": requester, "used": used, "quota": quota, "last_number": last,
        }));
    }
    // A journal that is not gone on with is shown all the same, and then told.
    let notes = read.err().map(|error| error.to_string()).into_iter().collect();
    Outcome { notes, text, json: json!(accounts) }
}

#[cfg(test)]
mod tests;

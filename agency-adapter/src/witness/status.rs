//! What an operator sees of the witness, and the operator's word that it was reported.
//!
//! Reads the state directory, so that it works beside a running `serve`.

use jiff::Timestamp;
use proto::{
    checkpoint::Checkpoint,
    verifier_key::{self, Signs},
};
use serde::Serialize;

use crate::{
    agency::Agency,
    check::Check,
    config::Config,
    lang::Lang,
    witness::{
        acts::{self, Overdue, OwnActs, RefusedGroup},
        cosigning::{Standing, WitnessFault, last_checkpoint},
        evidence::{Case, Evidence},
    },
};

/// How many acts are listed one by one.
const LISTED: usize = 20;

/// The witness's state.
#[derive(Debug, Serialize)]
pub struct WitnessStatus {
    /// How many entries the log had in the last checkpoint that was cosigned; absent before the first.
    pub cosigned_size: Option<u64>,
    /// Whether anything is served.
    pub serving: bool,
    /// Every fork there is evidence of.
    pub forks: Vec<Case>,
    /// Acts that wait for an entry, those that are not late included.
    pub waiting: usize,
    /// Acts that wait too long.
    pub overdue: Overdue,
    /// Groups that the gateway refused.
    pub refused: Vec<RefusedGroup>,
    /// This witness's key and the log's, as auditors without a manifest need them.
    pub keys: [String; 2],
}

impl WitnessStatus {
    /// Reads the state directory.
    ///
    /// # Errors
    /// [`WitnessFault`].
    pub fn read(config: &Config, agency: &Agency, now: Timestamp) -> Result<Self, WitnessFault> {
        let standing = Standing::of(agency);
        let last = last_checkpoint(&config.state_dir, &standing.log)?;
        let forks = Evidence::new(&config.state_dir).cases()?;
        let acts = OwnActs::open(&config.state_dir)?;
        Ok(Self {
            cosigned_size: last.as_ref().map(Checkpoint::size),
            serving: forks.iter().all(|case| case.reported),
            forks,
            waiting: acts.waiting(),
            overdue: acts.overdue(now)?,
            refused: acts.refused(),
            keys: [
                verifier_key::line(&standing.note_key(), Signs::Witness),
                verifier_key::line(&standing.log, Signs::Log),
            ],
        })
    }

    /// Whether nothing must be reported.
    pub fn is_well(&self) -> bool {
        self.serving && self.overdue == Overdue::default()
    }

    /// For people.
    pub fn text(&self, lang: Lang) -> String {
        let mut lines = vec![match self.cosigned_size {
            None => lang.pick("尚未联署过检查点".into(), "no checkpoint was cosigned yet".into()),
            Some(size) => lang.pick(
                format!("最近联署的检查点：{size} 条记录"),
                format!("last cosigned checkpoint: {size} entries"),
            ),
        }];
        for case in &self.forks {
            let file = case.file.display();
            lines.push(if case.reported {
                lang.pick(
                    format!("日志分叉证据（已报告）：{file}"),
                    format!("evidence of a fork, reported: {file}"),
                )
            } else {
                lang.pick(
                    format!("日志分叉！已停止服务。证据：{file}"),
                    format!("THE LOG FORKED, nothing is served. Evidence: {file}"),
                )
            });
        }
        for overdue in self.overdue.acts.iter().take(LISTED) {
            let (act, at, times) = (&overdue.act, overdue.at, overdue.times);
            lines.push(lang.pick(
                format!("日志未记载：{act}（{times} 次，自 {at}）"),
                format!("not in the log: {act} ({times} times, since {at})"),
            ));
        }
        let unlisted = self.overdue.acts.len().saturating_sub(LISTED);
        if unlisted > 0 {
            lines.push(lang.pick(
                format!("另有 {unlisted} 项未记载"),
                format!("and {unlisted} more that are not in the log"),
            ));
        }
        if let Some(at) = self.overdue.dropped {
            lines.push(lang.pick(
                format!("未记载的项目过多，最早的已舍弃（{at}）"),
                format!("too many acts were not in the log: the oldest were dropped ({at})"),
            ));
        }
        for RefusedGroup { at, act, fault } in &self.refused {
            lines.push(lang.pick(
                format!("网关拒收：{act}（原因 {fault}，{at}）"),
                format!("refused by the gateway: {act} ({fault}, {at}); its board says more"),
            ));
        }
        let waiting = self.waiting;
        lines.push(lang.pick(
            format!("等待日志记载的项目：{waiting}"),
            format!("acts that wait for their entry: {waiting}"),
        ));
        let [witness, log] = &self.keys;
        lines.push(lang.pick(
            format!("见证公钥：{witness}\n日志公钥：{log}"),
            format!("witness key: {witness}\nlog key: {log}"),
        ));
        if !self.is_well() {
            lines.push(self.advice(lang).into());
        }
        lines.join("\n")
    }

    fn advice(&self, lang: Lang) -> &'static str {
        lang.pick(
            "请将以上内容及证据文件报告联合体各方（见 RUNBOOK），然后运行 \
             agency-adapter witness resume --i-have-reported。若网关停机，未记载的项目会在其恢复后自行消除",
            "report this and the files of the evidence to the federation (RUNBOOK), then run \
             `agency-adapter witness resume --i-have-reported`. Where the gateway was down, acts that \
             are not in the log settle by themselves once it is back",
        )
    }

    /// For `doctor`.
    pub fn check(&self, lang: Lang) -> Check {
        if self.is_well() {
            Check::ok("witness", self.text(lang))
        } else {
            Check::failure("witness", self.text(lang))
        }
    }
}

/// An operator has reported everything that the status shows: what was stopped is served again.
///
/// # Errors
/// [`WitnessFault`].
pub fn resume(config: &Config, now: Timestamp) -> Result<usize, WitnessFault> {
    acts::reported(&config.state_dir, now)?;
    Ok(Evidence::new(&config.state_dir).report()?)
}

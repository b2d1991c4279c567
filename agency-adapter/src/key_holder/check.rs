//! `doctor`'s checks of a key holder: its share keys, the ceremony they come from, the journal, and what
//! the agencies have used.

use proto::{
    manifest::{Ceremony as Manner, Manifest},
    scope::Suite,
};

use super::{directory, holder, journal::JournalError, ledger::Ledger, seeds::Seeds};
use crate::{check::Check, config::Config, lang::Lang};

/// Whoever has used so many hundredths of the quota is named.
const NEARLY: u64 = 90;

/// All of them; none for an agency that is not a key holder.
pub fn check_key_holder(config: &Config, manifest: &Manifest, lang: Lang) -> Vec<Check> {
    let holder = manifest.holder_index(&config.agency).is_some();
    if !holder || manifest.scope.suite != Suite::Oprf {
        return vec![];
    }
    let mut checks: Vec<Check> = manifest
        .epochs()
        .iter()
        .filter_map(|epoch| manifest.in_epoch(epoch.number))
        .map(|manifest| check_share(config, &manifest, lang))
        .collect();
    checks.extend(check_ceremony(config, manifest, lang));
    checks.push(check_usage(config, manifest, lang));
    checks
}

fn check_share(config: &Config, manifest: &Manifest, lang: Lang) -> Check {
    let epoch = manifest.scope.epoch;
    let subject = format!("key share {epoch}");
    let share = holder::own_share(&config.state_dir, &config.agency, manifest);
    match share.and_then(|share| holder::check_pinned(&share, manifest)) {
        Ok(()) => Check::ok(subject, lang.pick("与清单一致", "as in the manifest")),
        Err(error) => Check::failure(subject, error.to_string()),
    }
}

fn check_ceremony(config: &Config, manifest: &Manifest, lang: Lang) -> Option<Check> {
    let subject = "key ceremony";
    if manifest.holders().ceremony == Some(Manner::TrustedDealer) {
        return Some(Check::warning(subject, lang.pick(
            "清单写明 trusted-dealer：密钥由一方生成并曾完整持有，仅可用于演示",
            "the manifest says trusted-dealer: one party made the whole key and had it. For a demo only",
        )));
    }
    // Seeds that cannot be read are told with the share.
    let seeds = Seeds::read(&config.state_dir).ok().flatten()?;
    Some(if holder::held_as_listed(&seeds, manifest) {
        Check::ok(
            subject,
            lang.pick("与清单中的持有方和公钥一致", "held with the manifest's holders and keys"),
        )
    } else {
        Check::warning(subject, lang.pick(
            "密钥仪式所用的持有方或公钥与清单不同：若此后无持有方更换密钥，说明仪式所用的草案被人改动，须重新举行",
            "it was held with other holders or keys than the manifest's: unless a holder has changed its keys \
             since, somebody changed the draft of the ceremony, and it must be held again",
        ))
    })
}

fn check_usage(config: &Config, manifest: &Manifest, lang: Lang) -> Check {
    let subject = "key usage";
    let (usage, read) = Ledger::usage(&directory(&config.state_dir));
    match read {
        Ok(()) => {}
        Err(error @ (JournalError::Lost(_) | JournalError::Copied(_))) => {
            return Check::failure(
                subject,
                lang.pick(
                    format!("{error}（在此之前不再应答任何请求）"),
                    format!("{error}. Until then no request is answered"),
                ),
            );
        }
        Err(error) => return Check::failure(subject, error.to_string()),
    }
    let live = |epoch| manifest.in_epoch(epoch).is_some();
    let mut nearly = vec![];
    let mut total = 0_u64;
    for account in usage.iter().filter(|account| live(account.epoch)) {
        let quota = manifest.agency(&account.requester).map_or(0, |agency| agency.quota);
        total = total.saturating_add(account.used);
        if account.used.saturating_mul(100) >= quota.saturating_mul(NEARLY) {
            let (epoch, requester) = (account.epoch, &account.requester);
            nearly.push(format!("{requester}: {} / {quota} ({epoch})", account.used));
        }
    }
    let found = lang.pick(
        format!("现行各期共计算 {total} 次"),
        format!("{total} evaluations in the live epochs"),
    );
    if nearly.is_empty() {
        return Check::ok(subject, found);
    }
    let nearly = nearly.join(", ");
    Check::warning(subject, lang.pick(
        format!("{found}。额度将尽：{nearly}。请核实用量是否正常，再决定是否在清单中提高额度"),
        format!(
            "{found}; nearly at their quota: {nearly}. See whether that is as it should be before the \
             manifest's quota is raised"
        ),
    ))
}

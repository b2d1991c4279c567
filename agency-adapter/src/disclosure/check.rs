//! `doctor`'s checks of disclosure: whether the source has the columns, and officers' certificates could
//! be checked.

use proto::{manifest::Manifest, officer_certificate::OfficersAuthority};

use super::{journal::Journal, person::has_columns};
use crate::{
    check::Check,
    config::{Config, contents},
    lang::Lang,
};

/// All of them; none for an agency that discloses nothing.
pub fn check_disclosure(config: &Config, manifest: &Manifest, lang: Lang) -> Vec<Check> {
    let datasets = config.datasets.iter();
    let disclosing: Vec<_> =
        datasets.filter_map(|dataset| Some((dataset, dataset.disclosure.as_ref()?))).collect();
    if disclosing.is_empty() {
        return vec![];
    }
    let mut checks = vec![check_authority(config, manifest, lang)];
    for (dataset, policy) in disclosing {
        let subject = format!("disclosure {}", dataset.id);
        checks.push(match has_columns(dataset, policy, &config.directory) {
            Err(error) => Check::failure(subject, error.text(lang)),
            Ok(()) if policy.vulnerable.is_none() => Check::warning(subject, lang.pick(
                "未配置 vulnerable：对需要特别保护的人员也只需一人批准",
                "no `vulnerable` is configured: one approver is enough for everybody, also for people who \
                 need protection",
            )),
            Ok(()) => Check::ok(subject, lang.pick("数据列齐全", "the source has the columns")),
        });
    }
    let subject = "disclosure journal";
    checks.push(match Journal::records(&config.state_dir) {
        Ok(records) => {
            let count = records.len();
            Check::ok(
                subject,
                lang.pick(format!("已披露 {count} 次"), format!("{count} disclosures")),
            )
        }
        Err(error) => Check::failure(subject, error.to_string()),
    });
    checks
}

fn check_authority(config: &Config, manifest: &Manifest, lang: Lang) -> Check {
    let subject = "disclosure officers";
    let (programme, authority) = (&manifest.scope.programme, manifest.officers_authority());
    let lists = match config.tls.revoked.as_deref().map(contents).transpose() {
        Ok(lists) => lists,
        Err(error) => return Check::failure(subject, error.to_string()),
    };
    match OfficersAuthority::new(programme, authority, lists.as_deref()) {
        Err(error) => Check::failure(subject, error.to_string()),
        Ok(_) if lists.is_none() => Check::warning(subject, lang.pick(
            "未配置 [tls] revoked：被吊销的工作人员证书仍可申请披露",
            "[tls] revoked is not configured: an officer whose certificate was revoked is still answered",
        )),
        Ok(_) => Check::ok(subject, lang.pick("可核验工作人员证书", "their certificates can be checked")),
    }
}

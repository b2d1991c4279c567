//! `doctor`'s checks of the state directory, the clock, the salts and the grants.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use jiff::Timestamp;
use proto::{name::DatasetId, schema::DatasetKind};

use crate::{agency::Agency, check::Check, config::Config, lang::Lang};

/// The directory is there, ours alone, and can be written to.
pub fn check_state_dir(directory: &Path, lang: Lang) -> Check {
    let subject = "state_dir";
    let shown = directory.display();
    let mode = match fs::metadata(directory) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::failure(
                subject,
                lang.pick(
                    format!("{shown} 不存在：请先运行 agency-adapter init"),
                    format!("{shown} does not exist: run `agency-adapter init` first"),
                ),
            );
        }
        Err(error) => return Check::failure(subject, format!("{shown}: {error}")),
    };
    if let Err(error) = tempfile_in(directory) {
        return Check::failure(subject, lang.pick(
            format!("无法写入 {shown}（{error}）：请检查属主、权限和磁盘空间"),
            format!("{shown} cannot be written to ({error}): check its owner, its permissions and the disk"),
        ));
    }
    if mode & 0o077 != 0 {
        return Check::warning(
            subject,
            lang.pick(
                format!("其他用户可以访问 {shown}（权限 {mode:04o}）：请执行 chmod 700"),
                format!("others have access to {shown} (mode {mode:04o}): run `chmod 700` on it"),
            ),
        );
    }
    Check::ok(subject, lang.pick(format!("{shown} 可写"), format!("{shown} can be written to")))
}

fn tempfile_in(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".doctor.{}", std::process::id()));
    fs::write(&path, b"x")?;
    fs::remove_file(&path)
}

/// The clock is not behind the manifest file, which was written by somebody who knew the time.
pub fn check_clock(manifest: &Path, now: Timestamp, lang: Lang) -> Check {
    let written = fs::metadata(manifest).and_then(|metadata| metadata.modified()).ok();
    match written.and_then(|written| Timestamp::try_from(written).ok()) {
        Some(written) if written > now => Check::failure("clock", lang.pick(
            format!("本机时间 {now} 早于清单文件的时间 {written}：请校准时钟（例如 chrony）"),
            format!("the clock says {now}, and the manifest was written at {written}: set the clock, for example by chrony"),
        )),
        _ => Check::ok("clock", now.to_string()),
    }
}

/// Own salts are there, and the grants that the configured datasets need or could use.
pub fn check_salts(config: &Config, agency: &Agency, lang: Lang) -> Vec<Check> {
    let (held, epoch) = (agency.held_salts(), agency.manifest.scope.epoch);
    let mut checks: Vec<Check> = vec![];
    let (mut own, mut granted) = (0, 0);
    for (id, dataset) in agency.manifest.datasets() {
        let ours = dataset.owner == agency.id;
        if held.get(id).is_some() {
            own += usize::from(ours);
            granted += usize::from(!ours);
        } else if let Some(problem) = held.problem(id) {
            let problem = lang.pick(format!("{id} 的盐值不可用：{problem}"), problem.to_owned());
            let queried = dataset.kind == Some(DatasetKind::CrossCheck) && releases(config);
            if ours || needed(config, id) {
                checks.push(Check::failure("salts", problem));
            } else if queried && !ours {
                checks.push(Check::warning("salts", problem));
            }
        }
    }
    checks.extend(check_issued(agency));
    checks.insert(
        0,
        Check::ok(
            "salts",
            lang.pick(
                format!("第 {epoch} 期可用的盐值：自有 {own} 个，获授权 {granted} 个"),
                format!("salts that can be used in epoch {epoch}: {own} own, {granted} granted"),
            ),
        ),
    );
    checks
}

fn check_issued(agency: &Agency) -> Vec<Check> {
    match agency.grants.issued() {
        Ok(grants) => {
            let faults = grants.into_iter().filter_map(Result::err);
            faults.map(|fault| Check::failure("grants", fault.to_string())).collect()
        }
        Err(error) => vec![Check::failure("grants", error.to_string())],
    }
}

fn releases(config: &Config) -> bool {
    config.datasets.iter().any(|dataset| dataset.kind == DatasetKind::Watch)
}

/// Without this salt a configured dataset cannot be published.
fn needed(config: &Config, id: &DatasetId) -> bool {
    let households = config.datasets.iter().filter_map(|dataset| dataset.household.as_ref());
    let base = *id == DatasetId::base() && releases(config);
    base || households.flat_map(|household| &household.datasets).any(|member| member == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_clock_behind_the_manifest_and_an_open_state_directory_are_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let manifest = directory.path().join("federation.toml");
        fs::write(&manifest, "x").expect("written");
        let check = check_clock(&manifest, Timestamp::UNIX_EPOCH, Lang::En);
        assert_eq!(check.verdict, Verdict::Failure);
        assert!(check.found.contains("set the clock"), "{}", check.found);
        assert_eq!(check_clock(&manifest, Timestamp::MAX, Lang::En).verdict, Verdict::Ok);

        let verdict = |path: &Path| check_state_dir(path, Lang::Zh).verdict;
        assert_eq!(verdict(&directory.path().join("none")), Verdict::Failure);
        let chmod = |mode| fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode));
        chmod(0o750).expect("changed");
        assert_eq!(verdict(directory.path()), Verdict::Warning);
        chmod(0o700).expect("changed");
        assert_eq!(verdict(directory.path()), Verdict::Ok);
    }
}

//! What a check of `doctor` found, and how the findings are shown.

use serde::Serialize;

use crate::lang::Lang;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// Works, and somebody should look.
    Warning,
    /// Must be mended.
    Failure,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked; the same word in every language.
    pub subject: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found, and where something is wrong, how to mend it.
    pub found: String,
}

impl Check {
    /// Nothing to do.
    pub fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Ok, found: found.into() }
    }

    /// Works, and somebody should look.
    pub fn warning(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Warning, found: found.into() }
    }

    /// Must be mended.
    pub fn failure(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Failure, found: found.into() }
    }
}

/// Whether anything must be mended.
pub fn any_failure(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.verdict == Verdict::Failure)
}

/// All checks for people, one below the other.
pub fn table(checks: &[Check], lang: Lang) -> String {
    let width = checks.iter().map(|check| check.subject.len()).max().unwrap_or_default();
    let mut text = String::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => lang.pick("正常", "ok     "),
            Verdict::Warning => lang.pick("注意", "warning"),
            Verdict::Failure => lang.pick("错误", "failure"),
        };
        let indent = format!("\n{:1$}", "", width + 11);
        let found = check.found.trim_end().replace('\n', &indent);
        text += &format!("{verdict}  {:width$}  {found}\n", check.subject);
    }
    let failures = checks.iter().filter(|check| check.verdict == Verdict::Failure).count();
    let warnings = checks.iter().filter(|check| check.verdict == Verdict::Warning).count();
    text += &lang.pick(
        format!("共 {} 项检查：{failures} 项错误，{warnings} 项注意\n", checks.len()),
        format!("{} checks: {failures} failures, {warnings} warnings\n", checks.len()),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_listed_and_counted_and_only_failures_count_as_such() {
        let mut checks = vec![Check::ok("config", "good"), Check::warning("tls", "expires\nsoon")];
        assert!(!any_failure(&checks));
        checks.push(Check::failure("salts", "missing"));
        assert!(any_failure(&checks));
        let text = table(&checks, Lang::En);
        assert!(text.contains("failure  salts   missing"), "{text}");
        assert!(text.ends_with("3 checks: 1 failures, 1 warnings\n"), "{text}");
        assert!(table(&checks, Lang::Zh).contains("1 项错误"));
    }
}

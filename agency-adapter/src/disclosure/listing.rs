//! `disclosure list`: what this agency disclosed, from its own journal.

use serde_json::{Value, json};

use super::journal::{Journal, JournalError, Record};
use crate::{config::Config, lang::Lang};

/// The journal, as it is shown.
pub struct Listing(Vec<Record>);

impl Listing {
    /// Reads it; also while `serve` is running.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(config: &Config) -> Result<Self, JournalError> {
        Ok(Self(Journal::records(&config.state_dir)?))
    }

    /// For people: the newest last.
    pub fn text(&self, lang: Lang) -> String {
        let mut lines: Vec<String> = self.0.iter().map(|record| line(record, lang)).collect();
        let (count, emergencies) = (self.0.len(), self.0.iter().filter(|r| r.emergency).count());
        lines.push(lang.pick(
            format!("共披露 {count} 次，其中紧急 {emergencies} 次"),
            format!("{count} disclosures, {emergencies} of them emergencies"),
        ));
        lines.join("\n")
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!(self.0)
    }
}

fn line(record: &Record, lang: Lang) -> String {
    let Record { at, disclosure, alert, dataset, officer, approvers, fields, .. } = record;
    let fields: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
    let fields = fields.join(" ");
    let approvers: Vec<&str> = approvers.iter().map(|approver| approver.as_str()).collect();
    let approved = match &approvers[..] {
        [] => lang.pick("未经事先批准".to_owned(), "approved by nobody beforehand".to_owned()),
        _ => lang.pick(
            format!("批准人 {}", approvers.join(" ")),
            format!("approved by {}", approvers.join(" ")),
        ),
    };
    let loud = match record.emergency {
        true => lang.pick("【紧急】", "EMERGENCY "),
        false => "",
    };
    format!("{at}  {loud}{officer}  {alert}  {dataset} ({fields})  {approved}  {disclosure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn an_agency_that_disclosed_nothing_is_told_so_in_both_languages() {
        let (_directory, _people, config, _clock) = fixture::agency();
        let listing = Listing::read(&config).expect("read");
        assert_eq!(listing.text(Lang::En), "0 disclosures, 0 of them emergencies");
        assert_eq!(listing.text(Lang::Zh), "共披露 0 次，其中紧急 0 次");
        assert_eq!(listing.json(), json!([]));
    }
}

//! The `[[dataset]]` sections of an agency's `adapter.toml` that describe the city's files.

use std::fmt::Write;

use super::{
    City,
    catalogue::{
        Bands, Condition, Dataset, Flag, HOUSEHOLDS, MAX_MEMBERS, ORDER_NUMBER, Rule, URGENCIES,
        URGENCY, WORK_ORDERS, datasets,
    },
};

/// The datasets whose secrets a household's row carries.
pub const HOUSEHOLD_DATASETS: [&str; 4] = [
    "vehicle_registration",
    "social_insurance_payment",
    "real_estate_registration",
    "market_entity",
];

/// What every watch agency of the city discloses.
const DISCLOSURE: &str = "[dataset.disclosure]\n\
    columns = { name = \"姓名\", phone = \"联系电话\", address = \"住址\" }\n\
    hours = \"00:00-24:00\"\nper_officer_per_day = 200\nemergency = true\n\n";

impl City {
    /// The datasets of an agency, as `adapter.toml` describes them; paths begin with `data/`.
    pub fn dataset_toml(&self, agency: &str) -> String {
        let owned = datasets().filter(|dataset| dataset.agency == agency);
        owned.map(|dataset| section(dataset, self.k_threshold())).collect()
    }
}

fn section(dataset: &Dataset, k_threshold: usize) -> String {
    let kind = if dataset.is_watch() { "watch" } else { "cross_check" };
    let encoding = if dataset.is_gb18030() { "gb18030" } else { "utf-8" };
    let id_type = if dataset.has_certificates() { "disability_certificate" } else { "resident_id" };
    let mut text = format!(
        "[[dataset]]\nid = \"{0}\"\nkind = \"{kind}\"\ncsv = \"data/{0}.csv\"\n\
         encoding = \"{encoding}\"\n\
         identifier = {{ column = \"{1}\", type = \"{id_type}\" }}\n",
        dataset.id,
        dataset.identifier_column(),
    );
    if dataset.delimiter() != ',' {
        line(&mut text, &format!("delimiter = \"{}\"", dataset.delimiter()));
    }
    if dataset.is_watch() {
        line(&mut text, "region = { residence = \"行政区划\" }");
    }
    line(&mut text, &format!("k_threshold = {k_threshold}\n"));
    for flag in dataset.flags {
        text.push_str(&flag_section(flag));
    }
    if dataset.is_watch() {
        text.push_str(DISCLOSURE);
    }
    if dataset.id == HOUSEHOLDS {
        line(&mut text, "[dataset.household]\ncolumn = \"户号\"");
        line(&mut text, &format!("max_members = {MAX_MEMBERS}"));
        line(&mut text, &format!("datasets = {HOUSEHOLD_DATASETS:?}\n"));
    }
    if dataset.id == WORK_ORDERS {
        let map = URGENCIES.map(|(said, urgency)| format!("\"{said}\" = \"{urgency}\""));
        line(&mut text, &format!("[dataset.work_order]\nnumber = \"{ORDER_NUMBER}\""));
        line(&mut text, &format!("urgency = \"{URGENCY}\"\nmap = {{ {} }}\n", map.join(", ")));
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string has room");
}

fn flag_section(flag: &Flag) -> String {
    let source = match &flag.rule {
        Rule::When(condition) => format!("when = {}", condition_text(condition)),
        Rule::Count { column, equals, bands } => {
            let count = format!("count = {{ column = \"{column}\", equals = \"{equals}\" }}");
            bands_text(&count, bands)
        }
        Rule::Number { column, sum, bands } => {
            let combine = if *sum { "sum" } else { "max" };
            bands_text(&format!("column = \"{column}\", combine = \"{combine}\""), bands)
        }
        Rule::Values { column, names, map, .. } => {
            let pairs: Vec<_> =
                map.iter().map(|(said, v)| format!("\"{said}\" = \"{v}\"")).collect();
            let map = pairs.join(", ");
            format!("values = {{ column = \"{column}\", names = {names:?}, map = {{ {map} }} }}")
        }
    };
    let mut text = format!("[[dataset.flag]]\nname = \"{}\"\n{source}\n", flag.name);
    if !flag.rule.coarser().is_empty() {
        line(&mut text, &format!("coarser = {:?}", flag.rule.coarser()));
    }
    text.push('\n');
    text
}

fn bands_text(source: &str, bands: &Bands) -> String {
    format!("bands = {{ {source}, lower_bounds = {:?} }}", bands.lower_bounds)
}

fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::Always => "{ always = true }".into(),
        Condition::WithinDays(column, days) => {
            format!("{{ column = \"{column}\", within_days = {days} }}")
        }
        Condition::Equals(column, text) => {
            format!("{{ column = \"{column}\", equals = \"{text}\" }}")
        }
        Condition::In(column, texts) => format!("{{ column = \"{column}\", in = {texts:?} }}"),
        Condition::AtLeast(column, least) => {
            format!("{{ column = \"{column}\", at_least = {least} }}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn policy() -> toml::Table {
        let text = include_str!("../../../deploy/policy/default.toml");
        text.parse().expect("the default policy is TOML")
    }

    /// What policy and configuration must agree on, of one flag.
    fn shape(flag: &toml::Value, source: Option<&toml::Value>) -> String {
        let bands = flag.get("bands").map(|b| b.get("lower_bounds").unwrap_or(b).to_string());
        let values = flag.get("values").map(|v| v.get("names").unwrap_or(v).to_string());
        let coarser = source.unwrap_or(flag).get("coarser").map(ToString::to_string);
        format!("{} {bands:?} {values:?} {coarser:?}", flag["name"])
    }

    fn shapes(dataset: &toml::Value) -> Vec<String> {
        let flags = dataset.get("flag").and_then(|flags| flags.as_array());
        flags.into_iter().flatten().map(|flag| shape(flag, None)).collect()
    }

    #[test]
    fn the_files_yield_exactly_the_flags_of_the_default_policy() {
        let city = City::generate(50, 1, jiff::civil::date(2026, 3, 1));
        let policy = policy();
        let promised = policy["dataset"].as_array().expect("datasets");
        let mut seen = BTreeSet::new();
        for agency in policy["agency"].as_array().expect("agencies") {
            let agency = agency["id"].as_str().expect("an id");
            let text = city.dataset_toml(agency);
            let config: toml::Table = text.parse().expect("dataset_toml is TOML");
            for dataset in config["dataset"].as_array().expect("each agency has a dataset") {
                let of = |wanted: &&toml::Value| wanted["id"] == dataset["id"];
                let promise = promised.iter().find(of).expect("a dataset of the policy");
                assert_eq!(promise["agency"].as_str(), Some(agency));
                assert_eq!(promise["kind"], dataset["kind"]);
                assert_eq!(shapes(promise), shapes(dataset), "{}", dataset["id"]);
                let household = |d: &toml::Value| {
                    d.get("household").map(|h| (h["max_members"].clone(), h["datasets"].clone()))
                };
                assert_eq!(household(promise), household(dataset));
                seen.insert(dataset["id"].to_string());
            }
        }
        assert_eq!(seen.len(), promised.len(), "every dataset has one owner");
    }
}

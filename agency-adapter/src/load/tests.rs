//! What becomes of files: good ones, dirty ones, and those that are not loaded at all.

use std::fmt::Write as _;

use jiff::civil::date;
use proto::case_event::Urgency;

use super::*;
use crate::{
    fixture::id,
    identifier::{IdentifierType, canonicalise},
    lang::Lang,
    reject::Reject,
};

const PLAIN: &str = r#"
    id = "homes"
    kind = "cross_check"
    csv = "rows.csv"
    encoding = "utf-8"
    identifier = { column = "id", type = "resident_id" }
    k_threshold = 1
    [[flag]]
    name = "any"
    when = { always = true }
"#;

fn identifier_of(id: &str) -> Option<Identifier> {
    let found = canonicalise(&IdentifierType::ResidentId, id, date(2026, 1, 31));
    found.ok().map(|found| found.identifier)
}

fn try_load(config: &str, bytes: &[u8]) -> Result<Load, LoadError> {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("rows.csv"), bytes).expect("writable");
    let dataset: DatasetConfig = toml::from_str(config).expect("TOML");
    let mut told = (0, 0);
    let loaded =
        load(&dataset, directory.path(), date(2026, 1, 31), &mut |read, of| told = (read, of));
    if loaded.is_ok() {
        assert_eq!(told, (bytes.len() as u64, bytes.len() as u64), "progress ends with all");
    }
    loaded
}

fn loaded(config: &str, text: &str) -> Load {
    try_load(config, text.as_bytes()).expect("a good file")
}

fn flags(person: &Person) -> Vec<u8> {
    person.flags.iter().map(|flag| flag.to_byte()).collect()
}

#[test]
fn a_gb18030_file_of_several_rows_a_person_becomes_people_with_flags() {
    let config = PLAIN.replace("utf-8", "gbk").replace("\"id\"", "\"身份证号\"")
        + r#"
        [[flag]]
        name = "homes"
        bands = { count = { column = "用途", equals = "住宅" }, lower_bounds = [0, 1, 2] }
        [[flag]]
        name = "recent"
        when = { column = "登记日期", within_days = 90 }
        "#;
    let text = format!(
        "身份证号,用途,登记日期\r\n{a},住宅,2020-01-01\r\n{b},商铺,2026年1月1日\r\n{a},住宅,\r\n",
        a = id(1),
        b = id(2)
    );
    let (bytes, ..) = encoding_rs::GB18030.encode(&text);
    let load = try_load(&config, &bytes).expect("a good file");
    assert_eq!(load.persons.len(), 2);
    assert_eq!(Some(&load.persons[0].identifier), identifier_of(&id(1)).as_ref());
    assert_eq!(flags(&load.persons[0]), [1, 2, 255]);
    assert_eq!(flags(&load.persons[1]), [1, 0, 1]);
    let report = load.report;
    assert_eq!((report.rows, report.persons, report.merged), (3, 2, 1));
    assert_eq!(report.flags[2].unknown_cells.first_rows, [4]);
    assert_eq!(report.flags[2].unknown_persons, 1);
}

#[test]
fn dirty_rows_are_counted_with_their_numbers_and_good_ones_loaded() {
    let mut text = format!("id,用途\n{}x,\n无,\n{},\nshort,,\n", id(1), id(2));
    (0..7).for_each(|_| text.push_str("320102198001010017,\n"));
    let load = loaded(PLAIN, &text);
    assert_eq!(load.persons.len(), 1);
    let found: Vec<_> = load.report.refused.iter().map(|r| (r.code, r.rows.clone())).collect();
    let codes: Vec<_> = found.iter().map(|(code, rows)| (*code, rows.rows)).collect();
    assert_eq!(
        codes,
        [
            (Reject::Columns, 1),
            (Reject::Placeholder, 1),
            (Reject::Length, 1),
            (Reject::Checksum, 7),
        ]
    );
    assert_eq!(found[2].1.first_rows, [2]);
    assert_eq!(found[3].1.first_rows, [6, 7, 8, 9, 10]);
    assert_eq!(load.report.rows, 11);
}

#[test]
fn no_value_appears_in_report_table_or_debug() {
    let config = PLAIN.to_owned()
        + "[[flag]]\nname = \"sum\"\nbands = { column = \"n\", lower_bounds = [0, 1] }\n";
    let text = format!("id,n\nCANARY7,1\n{},CANARY7\nCANARY7,CANARY7,1\n\"CANARY7\n", id(1));
    let load = loaded(&config, &text);
    let report = &load.report;
    let json = serde_json::to_string(report).expect("serialises");
    let tables = [report.table(Lang::Zh), report.table(Lang::En)].concat();
    let shown = format!("{json}{tables}{load:?}");
    for canary in ["CANARY7", "320199", &id(1)[6..]] {
        assert!(!shown.contains(canary), "{canary}");
    }
}

#[test]
fn an_upgraded_id_alone_decides_nothing_in_a_cross_check() {
    let upgraded = "320104550615003";
    let text = format!("id\n{upgraded}\n{}\n", id(1));
    let load = loaded(PLAIN, &text);
    assert_eq!(flags(&load.persons[0]), [255]);
    assert_eq!(flags(&load.persons[1]), [1]);
    assert_eq!((load.report.upgraded, load.report.upgraded_only), (1, 1));

    let both = loaded(PLAIN, &format!("id\n{upgraded}\n32010419550615003X\n"));
    assert_eq!(both.persons.len(), 1);
    assert_eq!(flags(&both.persons[0]), [1], "another row has the whole id");

    let watch = loaded(&PLAIN.replace("cross_check", "watch"), &text);
    assert_eq!(flags(&watch.persons[0]), [1], "nobody in need is left out");
}

#[test]
fn certificate_columns_are_read_from_the_number() {
    let config = PLAIN.replace("resident_id", "disability_certificate")
        + r#"
        [[flag]]
        name = "kind"
        values = { column = "@certificate.kind", names = ["none", "sight", "limb"], map = { "1" = "sight", "4" = "limb" } }
        [[flag]]
        name = "level"
        bands = { column = "@certificate.level", lower_bounds = [0, 1, 2, 3, 4] }
        "#;
    let load = loaded(&config, "id\n32010419550615003X41B1\n");
    assert_eq!(flags(&load.persons[0]), [1, 2, 1]);
    assert_eq!(Some(&load.persons[0].identifier), identifier_of("32010419550615003X").as_ref());
}

#[test]
fn regions_of_a_watch_dataset_are_read_and_bad_ones_counted() {
    let config = PLAIN.replace("cross_check", "watch").replace(
        "k_threshold",
        "region = { residence = \"r\", registration = \"h\" }\nk_threshold",
    );
    let (a, b) = (id(1), id(2));
    let text = format!("id,r,h\n{a},320104,\n{b},秦淮区,320106\n{b},320104002,320102\n{b},,\n");
    let load = loaded(&config, &text);
    let regions: Vec<_> = load
        .persons
        .iter()
        .filter_map(|person| person.particulars.as_ref())
        .map(|particulars| (particulars.residence, particulars.registration))
        .collect();
    assert_eq!(regions, [(320_104_000_000, 0), (320_104_002_000, 320_106_000_000)]);
    assert_eq!(load.report.bad_regions.first_rows, [3, 5]);
}

#[test]
fn work_orders_are_read_and_those_that_cannot_be_are_counted() {
    let orders =
        "[work_order]\nnumber = \"n\"\nurgency = \"u\"\nmap = { \"特急\" = \"emergency\" }\n";
    let config =
        PLAIN.replace("cross_check", "watch").replace("[[flag]]", &format!("{orders}[[flag]]"));
    let (a, b) = (id(1), id(2));
    let rows = ["20261127000012,特急", "'20261127000011,routine", "12345-A,urgent", "0,urgent"];
    let rows: String = rows.iter().map(|row| format!("{a},{row}\n")).collect();
    let text = format!("id,n,u\n{rows}{b},７,很急\n");
    let load = loaded(&config, &text);
    let of = |person: usize| {
        let particulars = load.persons[person].particulars.as_ref().expect("of a watch dataset");
        particulars.orders.iter().map(|it| (it.number, it.urgency)).collect::<Vec<_>>()
    };
    assert_eq!(
        of(0),
        [(20_261_127_000_011, Urgency::Routine), (20_261_127_000_012, Urgency::Emergency)]
    );
    assert_eq!(of(1), [(7, Urgency::Urgent)], "an order is not forgotten for its urgency");
    assert_eq!((load.report.orders, load.report.orders_left_out), (3, 0));
    assert_eq!(load.report.bad_orders.first_rows, [4, 5]);
    assert_eq!(load.report.bad_urgencies.first_rows, [6]);
}

#[test]
fn people_with_the_same_household_value_list_each_other() {
    let config = PLAIN.to_owned()
        + "[household]\ncolumn = \"h\"\nmax_members = 8\ndatasets = [\"vehicles\"]\n";
    let (a, b, c) = (id(1), id(2), id(3));
    let text = format!("id,h\n{a},7\n{b},8\n{c},7\n320102198001010017,8\n{},\n", id(4));
    let damaged = format!("{},9\n\u{fffd},9\n", id(5));
    let load = loaded(&config, &(text + &damaged));
    let member = |id: &String| identifier_of(id).expect("good");
    assert_eq!(load.persons[0].household, [member(&a), member(&c)]);
    assert!(load.persons[0].household_complete);
    assert_eq!(load.persons[1].household, [member(&b)]);
    assert!(!load.persons[1].household_complete, "a member's row was refused");
    assert!(load.persons[3].household.is_empty() && !load.persons[3].household_complete);
    assert!(!load.persons[4].household_complete, "a member's row could not be decoded");
    assert_eq!(load.report.incomplete_households, 3);
}

#[test]
fn a_row_of_another_shape_leaves_no_household_that_it_names_complete() {
    let config = PLAIN.to_owned()
        + "[household]\ncolumn = \"h\"\nmax_members = 8\ndatasets = [\"vehicles\"]\n";
    let shifted = format!("{},a,b,7\n", id(1));
    let swallowed = format!("{},\"8\n{},9\n\"\n", id(2), id(3));
    let rows = format!("{},7\n{},8\n{},9\n{},10\n", id(4), id(5), id(6), id(7));
    let load = loaded(&config, &format!("id,h\n{shifted}{swallowed}{rows}"));
    let complete = |number| {
        let person = load
            .persons
            .iter()
            .find(|p| Some(&p.identifier) == identifier_of(&id(number)).as_ref());
        person.expect("listed").household_complete
    };
    assert_eq!([4, 5, 6, 7].map(complete), [false, false, false, true]);
    assert_eq!(load.report.refused_rows(), 3);
}

#[test]
fn a_file_of_which_no_row_can_be_used_is_not_loaded() {
    let text = "id\n320102198001010017\n320102198001010017\n无\n";
    let error = try_load(PLAIN, text.as_bytes()).expect_err("refused").to_string();
    assert!(error.contains("3 of its 3 rows") && error.contains("CHECKSUM"), "{error}");
    assert!(loaded(PLAIN, "id\n").persons.is_empty(), "nobody is on the list");
}

#[test]
fn a_file_of_which_most_rows_are_refused_is_not_loaded() {
    let good: String = (1..=10).map(|sequence| format!("{}\n", id(sequence))).collect();
    let with = |bad: usize| format!("id\n{good}{}", "320102198001010017\n".repeat(bad));
    assert_eq!(loaded(PLAIN, &with(10)).persons.len(), 10);
    let error = try_load(PLAIN, with(11).as_bytes()).expect_err("refused").to_string();
    assert!(error.contains("11 of its 21 rows") && error.contains("CHECKSUM"), "{error}");
}

#[test]
fn a_file_with_fewer_people_than_there_must_be_is_not_loaded() {
    let config = PLAIN.replace("k_threshold", "fewest_people = 2\nk_threshold");
    let two = format!("id\n{}\n{}\n", id(1), id(2));
    assert_eq!(loaded(&config, &two).persons.len(), 2);
    for short in ["id\n".to_owned(), format!("id\n{}\n{}\n", id(1), id(1))] {
        let error = try_load(&config, short.as_bytes()).expect_err("refused").to_string();
        assert!(error.contains("fewest_people = 2"), "{error}");
    }
}

#[test]
fn a_dataset_does_not_lose_most_of_its_people_unless_it_is_said_that_it_may() {
    let check = |config: &str, people, published| {
        let dataset: DatasetConfig = toml::from_str(config).expect("TOML");
        check_size(&dataset, people, published).map_err(|error| error.to_string())
    };
    let error = check(PLAIN, 59, 120).expect_err("refused");
    assert!(error.contains("59 people") && error.contains("120"), "{error}");
    assert_eq!(check(PLAIN, 60, 120), Ok(()));
    assert!(check(PLAIN, 60, 121).is_err());
    assert_eq!(check(PLAIN, 0, 99), Ok(()), "so few come and go");
    let lowered = PLAIN.replace("k_threshold", "fewest_people = 0\nk_threshold");
    assert_eq!(check(&lowered, 0, 120), Ok(()));
}

#[test]
fn a_passport_takes_its_country_from_its_column() {
    let config = PLAIN.replace("\"resident_id\"", "\"passport\", country_column = \"c\"");
    let load = loaded(&config, "id,c\nE1234567,chn\nE1234567,USA\nE1234567,\n");
    assert_eq!(load.persons.len(), 2);
    assert_eq!(load.persons[0].identifier.as_bytes(), b"\x06CHN:E1234567");
    assert_eq!(load.report.refused[0].code, Reject::Country);
}

#[test]
fn a_file_in_which_many_ids_end_in_000_is_not_loaded() {
    let mut text = "id\n".to_owned();
    for sequence in 1..=200 {
        writeln!(text, "{}", id(sequence)).expect("a string");
    }
    let two = "320102198102031000\n".repeat(2);
    assert!(try_load(PLAIN, (text.clone() + &two).as_bytes()).is_ok(), "chance");
    let error = try_load(PLAIN, (text + &two + &two).as_bytes()).expect_err("damaged");
    assert!(error.to_string().contains("4 of 204 identifiers end in 000"), "{error}");
    assert!(error.text(Lang::Zh).contains("已中止"));
}

#[test]
fn few_people_with_the_same_flags_are_reported_and_kept() {
    let config = PLAIN.replace("k_threshold = 1", "");
    let load = loaded(&config, &format!("id\n{}\n{}\n", id(1), id(2)));
    assert_eq!(load.persons.len(), 2);
    assert_eq!(load.report.k_threshold.remaining_people, 2);
}

#[test]
fn a_faulty_configuration_is_an_error_that_names_the_flag() {
    let config = PLAIN.replace("always = true", "column = \"x\"");
    let error = try_load(&config, b"id\n").expect_err("a fault").to_string();
    assert!(error.contains("dataset homes, flag any"), "{error}");
}

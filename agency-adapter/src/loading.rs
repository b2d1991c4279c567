//! A load under way: what each row adds to the people and to the report.
//!
//! Owns the order of the steps from row to person. Each step is another file's: numbers are
//! `identifier`'s, flags `flag_rule`'s, merging `person_table`'s.

use std::path::Path;

use jiff::civil::Date;
use proto::{
    case_event::Urgency,
    schema::{DatasetKind, DatasetSchema, FlagValue},
    work_order::WorkOrder,
};

use crate::{
    clean_text::{CleanText, stands_for_nothing, unwrapped},
    csv_source::{Column, CsvSource, Row},
    dataset_config::{DatasetConfig, IdentifierConfig},
    flag_rule::{FlagRule, Tally},
    households::Households,
    identifier::{self, Canonical, IdentifierType},
    k_threshold,
    load::{Load, Person},
    load_error::LoadError,
    load_report::{FlagReport, LoadReport, RefusedRows, RowNumbers},
    particulars::Particulars,
    person_table::PersonTable,
    region::{UNKNOWN_REGION, region},
    reject::Reject,
};

/// Fewer identifiers than this say nothing about how many end in 000.
const FEWEST_IDS: u64 = 20;
/// In a file of fewer rows, most of them may be refused.
const FEWEST_ROWS: u64 = 20;
/// So few identifiers that end in 000 are chance, in a file of any size: one in a thousand does.
const CHANCE_IDS: u64 = 2;

/// Where a row's parts are.
struct Places {
    identifier: Column,
    country: Option<Column>,
    region: [Option<Column>; 2],
    order: Option<(Column, Column)>,
    household: Option<Column>,
}

/// A load under way.
pub(crate) struct Loading<'a> {
    dataset: &'a DatasetConfig,
    rules: &'a [FlagRule],
    places: Places,
    today: Date,
    people: PersonTable<'a>,
    households: Households,
    /// Of the current row; kept for its room.
    tallies: Vec<Tally>,
    rows: u64,
    refused: [RowNumbers; Reject::ALL.len()],
    unknown_cells: Vec<RowNumbers>,
    bad_regions: RowNumbers,
    bad_orders: RowNumbers,
    bad_urgencies: RowNumbers,
    upgraded: u64,
    nonconforming: u64,
    repaired: u64,
    ids: u64,
    ids_ending_in_000: u64,
}

impl<'a> Loading<'a> {
    /// Begins with nobody.
    pub(crate) fn new(
        dataset: &'a DatasetConfig,
        rules: &'a [FlagRule],
        source: &CsvSource<'_>,
        today: Date,
    ) -> Self {
        let identifier = &dataset.identifier;
        let place = |name: &String| source.column(name);
        let places = Places {
            identifier: place(&identifier.column),
            country: identifier.country_column.as_ref().map(place),
            region: dataset.region.as_ref().map_or([None; 2], |region| {
                [&region.residence, &region.registration].map(|name| name.as_ref().map(place))
            }),
            order: dataset
                .work_order
                .as_ref()
                .map(|orders| (place(&orders.number), place(&orders.urgency))),
            household: dataset.household.as_ref().map(|household| place(&household.column)),
        };
        Self {
            dataset,
            rules,
            places,
            today,
            people: PersonTable::new(rules),
            households: Households::default(),
            tallies: vec![],
            rows: 0,
            refused: std::array::from_fn(|_| RowNumbers::default()),
            unknown_cells: vec![RowNumbers::default(); rules.len()],
            bad_regions: RowNumbers::default(),
            bad_orders: RowNumbers::default(),
            bad_urgencies: RowNumbers::default(),
            upgraded: 0,
            nonconforming: 0,
            repaired: 0,
            ids: 0,
            ids_ending_in_000: 0,
        }
    }

    /// The rows seen so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts a row that cannot be used.
    pub(crate) fn refuse(&mut self, row: u64, reject: Reject) {
        self.rows += 1;
        self.refused[reject as usize].add(row);
    }

    /// Notes that the household in the source's current row lacks somebody.
    fn miss_household(&mut self, source: &CsvSource<'_>) {
        if let Some(column) = self.places.household {
            self.households.miss(Row::new(source.record(), None).text(column));
        }
    }

    /// Notes that every household that the source's current row could name lacks somebody: where its
    /// cells are is not known.
    pub(crate) fn miss_households(&mut self, source: &CsvSource<'_>) {
        if self.places.household.is_some() {
            source.texts().for_each(|text| self.households.miss(text));
        }
    }

    /// Adds the source's current row, or counts why it cannot be used.
    pub(crate) fn take(&mut self, number: u64, source: &CsvSource<'_>) {
        let bare = Row::new(source.record(), None);
        let canonical = match self.canonical(&bare) {
            Ok(canonical) => canonical,
            Err(reject) => {
                self.miss_household(source);
                return self.refuse(number, reject);
            }
        };
        self.rows += 1;
        self.upgraded += u64::from(canonical.upgraded);
        self.nonconforming += u64::from(canonical.nonconforming);
        self.repaired += u64::from(canonical.repaired);
        let row = Row::new(source.record(), canonical.certificate);
        self.tally(number, &row);
        let particulars = self.particulars(number, &row);
        let confirmed = !canonical.upgraded;
        let person = self.people.add(canonical.identifier, particulars, confirmed, &self.tallies);
        if let Some(column) = self.places.household {
            self.households.add(person, row.text(column));
        }
    }

    fn canonical(&mut self, row: &Row<'_>) -> Result<Canonical, Reject> {
        let text = CleanText::new(row.text(self.places.identifier))?;
        self.ids += 1;
        self.ids_ending_in_000 += u64::from(text.ends_as_if_rounded());
        let country = self.places.country.map(|column| row.text(column));
        canonical(&self.dataset.identifier, country, text, self.today)
    }

    fn tally(&mut self, number: u64, row: &Row<'_>) {
        self.tallies.clear();
        for (rule, unknown) in self.rules.iter().zip(&mut self.unknown_cells) {
            let tally = rule.observe(row);
            if rule.is_unknown(tally) {
                unknown.add(number);
            }
            self.tallies.push(tally);
        }
    }

    fn particulars(&mut self, number: u64, row: &Row<'_>) -> Option<Box<Particulars>> {
        if self.dataset.kind != DatasetKind::Watch {
            return None;
        }
        let [residence, registration] = self.regions(number, row);
        let orders = self.order(number, row).into_iter().collect();
        Some(Box::new(Particulars { residence, registration, orders }))
    }

    /// A row is counted as bad where a cell holds no code, and where no cell holds one.
    fn regions(&mut self, number: u64, row: &Row<'_>) -> [u64; 2] {
        let cells = self.places.region.map(|column| column.map(|column| row.text(column)));
        let regions = cells.map(|cell| cell.and_then(region).unwrap_or(UNKNOWN_REGION));
        let garbled = cells.into_iter().zip(regions).any(|(cell, region)| {
            region == UNKNOWN_REGION && cell.is_some_and(|cell| !stands_for_nothing(cell))
        });
        let asked = cells.iter().any(Option::is_some);
        if garbled || (asked && regions == [UNKNOWN_REGION; 2]) {
            self.bad_regions.add(number);
        }
        regions
    }

    /// An order whose urgency cannot be read is taken for urgent: nobody's request is forgotten for it.
    fn order(&mut self, number: u64, row: &Row<'_>) -> Option<WorkOrder> {
        let (column, urgency) = self.places.order?;
        let Some(order) = order_number(row.text(column)) else {
            self.bad_orders.add(number);
            return None;
        };
        let config = self.dataset.work_order.as_ref()?;
        let urgency = config.urgency(unwrapped(row.text(urgency))).unwrap_or_else(|| {
            self.bad_urgencies.add(number);
            Urgency::Urgent
        });
        Some(WorkOrder { number: order, urgency })
    }

    /// A spreadsheet rounds to 15 digits, and one damaged id in eleven still passes its check: where
    /// many end in 000, none can be trusted.
    pub(crate) fn check_rounding(&self, file: &Path) -> Result<(), LoadError> {
        let (ids, of) = (self.ids_ending_in_000, self.ids);
        if of >= FEWEST_IDS && ids > CHANCE_IDS && ids * 100 > of {
            return Err(LoadError::Rounded { file: file.into(), ids, of });
        }
        Ok(())
    }

    /// Where most rows were refused, or fewer people are left than there must be, everybody else would count
    /// as gone.
    pub(crate) fn check_left(&self, file: &Path) -> Result<(), LoadError> {
        let refused: u64 = self.refused.iter().map(|refused| refused.rows).sum();
        let most = self.rows >= FEWEST_ROWS && refused > self.rows / 2;
        let mostly = Reject::ALL.into_iter().zip(&self.refused).max_by_key(|(_, rows)| rows.rows);
        let people = self.people.len() as u64;
        if let Some((mostly, _)) = mostly
            && (most || refused > 0 && people == 0)
        {
            return Err(LoadError::Refused { file: file.into(), refused, of: self.rows, mostly });
        }
        match self.dataset.fewest_people {
            Some(fewest) if people < fewest => {
                Err(LoadError::TooFew { file: file.into(), people, fewest })
            }
            _ => Ok(()),
        }
    }

    /// The people and the report.
    pub(crate) fn finish(self, schema: DatasetSchema) -> Load {
        let cross_check = self.dataset.kind == DatasetKind::CrossCheck;
        let refused_rows: u64 = self.refused.iter().map(|refused| refused.rows).sum();
        let merged = self.rows - refused_rows - self.people.len() as u64;
        let mut upgraded_only = 0;
        let mut persons = self.people.into_people(|person| {
            let unknown = cross_check && !person.confirmed;
            upgraded_only += u64::from(unknown);
            let value = |(rule, &tally): (&FlagRule, &Tally)| {
                if unknown { FlagValue::UNKNOWN } else { rule.value(tally) }
            };
            Person {
                identifier: person.identifier,
                particulars: person.particulars,
                flags: self.rules.iter().zip(person.tallies).map(value).collect(),
                household: vec![],
                household_complete: false,
            }
        });
        let mut incomplete_households = 0;
        if self.dataset.household.is_some() {
            incomplete_households = add_households(&mut persons, self.households);
        }
        let (orders, orders_left_out) = limit_orders(&mut persons);
        let flags = flag_reports(&schema, &persons, self.unknown_cells);
        let k = self.dataset.k_threshold;
        let refused = Reject::ALL.into_iter().zip(self.refused);
        let refused = refused.filter(|(_, rows)| rows.rows > 0);
        let report = LoadReport {
            dataset: self.dataset.id.clone(),
            rows: self.rows,
            persons: persons.len() as u64,
            refused: refused.map(|(code, rows)| RefusedRows { code, rows }).collect(),
            merged,
            upgraded: self.upgraded,
            upgraded_only,
            nonconforming: self.nonconforming,
            repaired: self.repaired,
            flags,
            bad_regions: self.bad_regions,
            orders,
            orders_left_out,
            bad_orders: self.bad_orders,
            bad_urgencies: self.bad_urgencies,
            incomplete_households,
            k_threshold: k_threshold::coarsen_rare(&mut persons, &schema, k),
        };
        Load { schema, persons, report }
    }
}

/// The identifier that a cell's text is, of a column's type; `country` is the text of the column with
/// each passport's country, where there is one.
pub(crate) fn canonical(
    column: &IdentifierConfig,
    country: Option<&str>,
    text: CleanText,
    today: Date,
) -> Result<Canonical, Reject> {
    if column.kind != IdentifierType::Passport {
        return identifier::canonicalise_clean(column.kind, text, today);
    }
    let country = country.or(column.country.as_deref()).unwrap_or_default();
    identifier::passport(country, &text)
}

/// Gives each person the members of their household; returns how many lists are not complete.
fn add_households(persons: &mut [Person], households: Households) -> u64 {
    let identifiers: Vec<_> = persons.iter().map(|person| person.identifier.clone()).collect();
    let mut incomplete = 0;
    for (person, (members, complete)) in persons.iter_mut().zip(households.by_person()) {
        let members = members.into_iter().map(|member| identifiers[member as usize].clone());
        person.household = members.collect();
        person.household_complete = complete;
        incomplete += u64::from(!complete);
    }
    incomplete
}

/// A work order's number: digits alone, and not only zeros.
fn order_number(cell: &str) -> Option<u64> {
    let text = CleanText::code(cell).ok()?;
    let digits = text.as_bytes();
    let number: u64 = std::str::from_utf8(digits)
        .ok()
        .filter(|_| digits.iter().all(u8::is_ascii_digit))?
        .parse()
        .ok()?;
    (number > 0).then_some(number)
}

/// Keeps as many orders of each person as a release has room for; says how many there are, and how many
/// more there were.
fn limit_orders(persons: &mut [Person]) -> (u64, u64) {
    let (mut kept, mut beyond) = (0, 0);
    for particulars in persons.iter_mut().filter_map(|person| person.particulars.as_mut()) {
        beyond += particulars.limit_orders() as u64;
        kept += particulars.orders.len() as u64;
    }
    (kept, beyond)
}

fn flag_reports(
    schema: &DatasetSchema,
    persons: &[Person],
    unknown_cells: Vec<RowNumbers>,
) -> Vec<FlagReport> {
    let mut reports: Vec<_> = schema
        .flags
        .iter()
        .zip(unknown_cells)
        .map(|(flag, cells)| FlagReport {
            flag: flag.name.clone(),
            unknown_cells: cells,
            unknown_persons: 0,
        })
        .collect();
    for person in persons {
        for (report, value) in reports.iter_mut().zip(&person.flags) {
            report.unknown_persons += u64::from(*value == FlagValue::UNKNOWN);
        }
    }
    reports
}

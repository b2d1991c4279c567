//! The city's files as the agencies keep them: Chinese headers, two encodings, and dirt. Part after part of
//! the city is written behind what is there.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, Write},
    path::Path,
};

use jiff::civil::Date;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    City,
    catalogue::{Dataset, ORDER_NUMBER, datasets},
    dirt::{Reasons, UNDECODABLE, disguise, refused},
    number::legacy,
    resident::Resident,
    rows::{Cell, Row, chance, lists, rows},
};

/// Bytes of a file that are gathered before they are written.
const PIECE: usize = 1 << 20;

/// What a correct reader reports about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Rows below the header.
    pub rows: usize,
    /// Different people among the good ones.
    pub people: usize,
    /// Good rows with a 15-digit number.
    pub upgraded: usize,
    /// Refused rows, by reason.
    pub refused: Reasons,
}

impl City {
    /// Writes `<dir>/<agency>/data/<dataset>.csv` for every dataset and says, per dataset, what is in
    /// it.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_sources(&self, dir: &Path) -> io::Result<BTreeMap<&'static str, FileCounts>> {
        let mut files = Files::create(dir)?;
        files.append(self)?;
        Ok(files.counts())
    }
}

/// All agencies' files as they grow.
pub struct Files(Vec<File>);

impl Files {
    /// Makes them anew: headers alone.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let create = |dataset: &'static Dataset| {
            let data = dir.join(dataset.agency).join("data");
            fs::create_dir_all(&data)?;
            let mut file =
                File::new(dataset, fs::File::create(data.join(format!("{}.csv", dataset.id)))?);
            file.write_out(0)?;
            Ok(file)
        };
        datasets().map(create).collect::<io::Result<_>>().map(Self)
    }

    /// Appends a city, or a part of one: row after row, none of which is kept.
    ///
    /// # Errors
    /// The file system's.
    pub fn append(&mut self, part: &City) -> io::Result<()> {
        self.0.iter_mut().enumerate().try_for_each(|(place, file)| file.append(place, part))
    }

    /// What is in them, by dataset.
    pub fn counts(self) -> BTreeMap<&'static str, FileCounts> {
        self.0.into_iter().map(|file| (file.dataset.id, file.counts)).collect()
    }
}

/// One file as it grows.
struct File {
    dataset: &'static Dataset,
    letters: Letters,
    out: fs::File,
    /// Not written out yet.
    bytes: Vec<u8>,
    counts: FileCounts,
}

impl File {
    fn new(dataset: &'static Dataset, out: fs::File) -> Self {
        let (letters, counts) = (Letters::default(), FileCounts::default());
        let mut file = Self { dataset, letters, out, bytes: vec![], counts };
        if dataset.has_byte_order_mark() {
            file.bytes.extend_from_slice("\u{FEFF}".as_bytes());
        }
        let mut header = vec![dataset.identifier_column(), "姓名", "联系电话", "住址"];
        if dataset.is_watch() {
            header.push("行政区划");
        }
        let own = dataset.columns.iter().filter(|column| !column.starts_with('@'));
        header.extend(own);
        file.line(&header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        file
    }

    fn append(&mut self, place: usize, part: &City) -> io::Result<()> {
        let (dataset, seed) = (self.dataset, part.seed());
        let mut rng = chance(seed, dataset.id, "", "refused");
        let listed = part.residents().filter(|resident| lists(dataset, resident));
        let people = listed.clone().count();
        let every = 200.min(people / 3).max(1);
        for (n, resident) in listed.enumerate() {
            if n % every == every - 1 {
                self.nobody(place * 3 + n / every, people >= 1000, part.today(), &mut rng);
            }
            let mut rng = chance(seed, dataset.id, &resident.id, "writing");
            for row in rows(dataset, resident, seed) {
                self.resident(resident, &row, &mut rng);
            }
            self.write_out(PIECE)?;
        }
        self.counts.people += people;
        self.write_out(0)
    }

    /// Writes out what has gathered, where it is more than so many bytes.
    fn write_out(&mut self, gathered: usize) -> io::Result<()> {
        if self.bytes.len() > gathered {
            self.out.write_all(&self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }

    fn resident(&mut self, resident: &Resident, row: &Row, rng: &mut ChaCha8Rng) {
        let id = if row.upgraded { legacy(&resident.id) } else { None };
        let mut id = id.unwrap_or_else(|| resident.id.clone());
        if self.dataset.has_certificates() {
            id = certificate(&id, row, self.dataset, rng);
        } else if !row.upgraded && rng.random_bool(0.06) {
            id = disguise(&id, rng);
        }
        let who = [id, resident.name.clone(), resident.phone.clone(), resident.address.clone()];
        let mut cells = who.to_vec();
        if self.dataset.is_watch() {
            cells.push(resident.region.clone());
        }
        for (cell, column) in row.cells.iter().zip(self.dataset.columns) {
            if !column.starts_with('@') {
                cells.push(written(cell, column, self.dataset, rng));
            }
        }
        self.counts.rows += 1;
        self.counts.upgraded += usize::from(row.upgraded);
        self.line(&cells);
    }

    /// A row that must be refused.
    fn nobody(&mut self, turn: usize, large: bool, today: Date, rng: &mut ChaCha8Rng) {
        let row = refused(turn, large, rng);
        // A certificate's number is an inner number, a kind and a level.
        let certificate = self.dataset.has_certificates() && row.identifier.len() >= 15;
        let suffix = if certificate { "43" } else { "" };
        let who = ["无名氏", "10000000000", "不详"].map(str::to_owned);
        let mut cells = vec![format!("{}{suffix}", row.identifier)];
        cells.extend(who);
        if self.dataset.is_watch() {
            cells.push("320104002001".into());
        }
        let own = self.dataset.columns.iter().filter(|column| !column.starts_with('@'));
        cells.extend(
            own.map(|column| if column.ends_with("日期") { today.to_string() } else { "1".into() }),
        );
        if row.columns < 0 {
            cells.pop();
        } else if row.columns > 0 {
            cells.push("多余".into());
        }
        self.counts.rows += 1;
        *self.counts.refused.entry(row.reason).or_default() += 1;
        self.line(&cells);
    }

    fn line(&mut self, cells: &[String]) {
        let delimiter = self.dataset.delimiter();
        let mut line = String::with_capacity(160);
        for (n, cell) in cells.iter().enumerate() {
            if n > 0 {
                line.push(delimiter);
            }
            if cell.contains([delimiter, '"', '\n', '\r']) {
                line.push_str(&format!("\"{}\"", cell.replace('"', "\"\"")));
            } else {
                line.push_str(cell);
            }
        }
        let (before, after) =
            line.split_once(UNDECODABLE).map_or((&*line, None), |(b, a)| (b, Some(a)));
        let gb18030 = self.dataset.is_gb18030();
        self.letters.encode(before, gb18030, &mut self.bytes);
        if let Some(after) = after {
            self.bytes.extend_from_slice(b"3201\xFF\xFF99");
            self.letters.encode(after, gb18030, &mut self.bytes);
        }
        self.bytes.extend_from_slice(if gb18030 { b"\r\n" } else { b"\n" });
    }
}

fn certificate(id: &str, row: &Row, dataset: &Dataset, rng: &mut ChaCha8Rng) -> String {
    let part = |column| match &row.cells[dataset.column(column)] {
        Cell::Text(text) => (*text).to_owned(),
        Cell::Number(number) => number.to_string(),
        other => unreachable!("{other:?} is no part of a certificate"),
    };
    let (kind, level) = (part("@certificate.kind"), part("@certificate.level"));
    let id = if rng.random_bool(0.06) { disguise(id, rng) } else { id.to_owned() };
    let reissue = if rng.random_bool(0.15) { "B1" } else { "" };
    match id.strip_suffix('"') {
        Some(open) => format!("{open}{kind}{level}{reissue}\""),
        None => format!("{id}{kind}{level}{reissue}"),
    }
}

/// A cell in one of the ways offices write it.
fn written(cell: &Cell, column: &str, dataset: &Dataset, rng: &mut ChaCha8Rng) -> String {
    match cell {
        Cell::Text(text) | Cell::Broken(text) => (*text).to_owned(),
        Cell::Date(date) => written_date(*date, rng),
        Cell::Number(household) if column == "户号" => format!("3201990{household:07}"),
        Cell::Number(order) if column == ORDER_NUMBER => order.to_string(),
        Cell::Number(number) => {
            let exact = column == "停业天数" || dataset.flags.iter().any(|f| f.rule.adds_up());
            let fraction = if exact { ".00" } else { ".60" };
            match rng.random_range(0..10) {
                0 => with_commas(*number),
                1 => format!("{}{fraction}", with_commas(*number)),
                2 => format!("{number}{fraction}"),
                _ => number.to_string(),
            }
        }
    }
}

fn with_commas(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn written_date(date: Date, rng: &mut ChaCha8Rng) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match rng.random_range(0..8) {
        0 => format!("{year}/{month}/{day}"),
        1 => format!("{year}{month:02}{day:02}"),
        2 => format!("{year}年{month}月{day}日"),
        3 => format!("{year}-{month:02}-{day:02} 08:30:00"),
        _ => format!("{year}-{month:02}-{day:02}"),
    }
}

/// GB18030 letters seen so far: finding one anew is slow.
#[derive(Default)]
struct Letters(HashMap<char, Vec<u8>>);

impl Letters {
    fn encode(&mut self, text: &str, gb18030: bool, bytes: &mut Vec<u8>) {
        if !gb18030 {
            bytes.extend_from_slice(text.as_bytes());
            return;
        }
        for letter in text.chars() {
            if letter.is_ascii() {
                bytes.push(u8::try_from(letter).expect("ASCII"));
                continue;
            }
            let known = self.0.entry(letter).or_insert_with(|| {
                encoding_rs::GB18030.encode(letter.encode_utf8(&mut [0; 4])).0.into_owned()
            });
            bytes.extend_from_slice(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_the_way_people_write_them() {
        assert_eq!(with_commas(1234567), "1,234,567");
        assert_eq!(with_commas(123), "123");
    }
}

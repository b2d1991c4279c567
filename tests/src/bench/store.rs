//! The store of sealed rows and what the base keeps of it: ingest beside writing and syncing the same
//! bytes, open-and-look-up beside AES-256-GCM and a look-up, memory, and how first match grows.

use std::{
    fs::{self, File},
    hint::black_box,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use clap::Args;
use gateway::{
    base::Base,
    rows::{Changed, Rows},
};
use proto::{
    person_secret::{LookupTag, SealKey},
    schema::DatasetSchema,
    wire,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{
    engine::{self, Redb},
    first_match::median,
    report::{Compared, Measured, Report},
    sealed::{Town, secret, trailer},
};

/// Half of the disk's limit takes twice the time.
const INGEST_GOAL: f64 = 2.0;
const OPEN_GOAL: f64 = 1.5;
const ENGINE_GOAL: f64 = 1.0;
const BYTES_GOAL: f64 = 800.0;
const GROWTH_GOAL: f64 = 1.05;
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Rows of a line for each person of the base, and lines, where growth is measured.
const TIMES: usize = 4;
const LINES: usize = 2;
const PIECE: usize = 1 << 20;

/// How much to measure.
#[derive(Args)]
pub struct Arguments {
    /// Where the store is written: the limit is this disk's.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// People in the base.
    #[arg(long, default_value_t = 510_000)]
    people: usize,
    /// Data lines that everybody has a person secret for, where memory is measured.
    #[arg(long, default_value_t = 17)]
    lines: usize,
    /// Rows of the line that is ingested and read.
    #[arg(long, default_value_t = 2_000_000)]
    rows: usize,
    /// Rounds; the figures are medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Measures one after the other.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    anyhow::ensure!(
        arguments.rows >= arguments.people,
        "--rows must be at least --people: everybody of the base has a row"
    );
    let mut report = Report { benchmark: "store", measured: vec![], compared: vec![] };
    memory(arguments, &mut report)?;
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let town = Town::new(arguments.people, 1)?;
    let line = town.lines().next().context("one line")?.clone();
    let frames = town.frames(&line, 1, 0..arguments.rows);
    let (rows, ingested) =
        ingest(arguments, &town, (&line, &frames), directory.path(), &mut report)?;
    let mut people: Vec<(LookupTag, SealKey)> = (0..arguments.people)
        .map(|person| secret(&line.dataset, person))
        .map(|secret| (secret.lookup_tag(), secret.seal_key()))
        .collect();
    people.sort_by_key(|(tag, _)| *tag);
    let tags: Vec<LookupTag> = people.iter().map(|(tag, _)| *tag).collect();
    let redb = engine::measure(directory.path(), &frames, &tags)?;
    drop(frames);
    let found = open(&town, (&line, &people), (directory.path(), rows), arguments, &mut report)?;
    beside_redb(arguments, &redb, [ingested, found], &mut report);
    growth(arguments, &mut report)?;
    Ok(report)
}

fn figure(report: &mut Report, what: impl Into<String>, value: f64, unit: &'static str) {
    report.measured.push(Measured { what: what.into(), value, unit });
}

/// Why the store has an engine of its own.
fn beside_redb(arguments: &Arguments, redb: &Redb, ours: [f64; 2], report: &mut Report) {
    let (rows, people) = (arguments.rows as f64, arguments.people as f64);
    let [ingested, found] = ours;
    let each = [
        ("ingest, per row, beside another engine", [redb.ingest * 1e6 / rows, ingested]),
        ("look-up in tag order, beside another engine", [redb.lookups * 1e6 / people, found]),
    ];
    for (what, times) in each {
        let formula = "redb with the same rows, written in tag order in one commit";
        report.compared.push(Compared::new(what.into(), formula.into(), times, ENGINE_GOAL));
    }
}

fn ingest(
    arguments: &Arguments,
    town: &Town,
    (line, frames): (&DatasetSchema, &Vec<wire::SealedRowColumns>),
    directory: &Path,
    report: &mut Report,
) -> anyhow::Result<(Rows, f64)> {
    let width = 16 + 12 + line.row_size() + 16;
    let size = arguments.rows * width;
    let rows = Rows::open(&directory.join("rows"), &town.scope)?;
    let trailer = trailer(frames, line.row_size())?;
    let (mut bare, mut ours) = (vec![], vec![]);
    for _ in 0..arguments.rounds.max(1) {
        let began = Instant::now();
        let mut file = File::create(directory.join("bare"))?;
        let piece = vec![1; PIECE];
        for at in (0..size).step_by(PIECE) {
            file.write_all(&piece[..PIECE.min(size - at)])?;
        }
        file.sync_all()?;
        bare.push(began.elapsed().as_secs_f64());
        fs::remove_file(directory.join("bare"))?;
        let copy = frames.clone();
        let began = Instant::now();
        town.ingest(&rows, line, (None, 1), (copy, &trailer))?;
        ours.push(began.elapsed().as_secs_f64());
    }
    let (bare, ours) = (median(bare), median(ours));
    let each = arguments.rows as f64;
    figure(report, "ingest of a snapshot", each / ours, "rows/s");
    let disk = size_of(&directory.join("rows"))? as f64;
    figure(report, "on the disk, for each row", disk / each, "bytes");
    report.compared.push(Compared::new(
        "ingest, per row".into(),
        format!("write the same {width} bytes and sync them at the end"),
        [bare * 1e6 / each, ours * 1e6 / each],
        INGEST_GOAL,
    ));
    Ok((rows, ours * 1e6 / each))
}

fn size_of(directory: &Path) -> anyhow::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(size)
}

/// Everybody of the base has a row; on one core. Microseconds of a look-up.
fn open(
    town: &Town,
    (line, people): (&DatasetSchema, &[(LookupTag, SealKey)]),
    (directory, rows): (&Path, Rows),
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<f64> {
    drop(rows);
    let began = Instant::now();
    let rows = Rows::open(&directory.join("rows"), &town.scope)?;
    figure(report, "the store opened again", began.elapsed().as_secs_f64() * 1e3, "ms");
    let mut base = Base::new(&town.scope, town.policy.catalogue.clone());
    base.catch_up(&rows)?;
    base.release(town.release()?, &rows)?;
    let (mut found, mut opened, mut ours) = (vec![], vec![], vec![]);
    for _ in 0..arguments.rounds.max(1) {
        let reader = rows.reader(line)?;
        let began = Instant::now();
        let mut lookups = reader.in_tag_order();
        for (tag, _) in people {
            black_box(lookups.seek(*tag)?.context("everybody has a row")?);
        }
        found.push(began.elapsed().as_secs_f64());
        let mut sealed: Vec<Vec<u8>> = people.iter().map(|_| Vec::new()).collect();
        let mut lookups = reader.in_tag_order();
        for ((tag, _), sealed) in people.iter().zip(&mut sealed) {
            sealed.extend_from_slice(lookups.seek(*tag)?.context("everybody has a row")?);
        }
        let began = Instant::now();
        for ((_, key), sealed) in people.iter().zip(&mut sealed) {
            bare_open(key, sealed);
        }
        opened.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        base.rows_changed(&line.dataset, &Changed::All, &rows)?;
        ours.push(began.elapsed().as_secs_f64());
    }
    anyhow::ensure!(base.unopenable(&line.dataset) == 0, "every row opens");
    let each = |times| median(times) * 1e6 / arguments.people as f64;
    let (found, opened, ours) = (each(found), each(opened), each(ours));
    figure(report, "look-up in tag order", found, "us");
    figure(report, "AES-256-GCM, fresh key, attempt to open in place", opened, "us");
    report.compared.push(Compared::new(
        "open-and-look-up, per row, on one core".into(),
        "look-up in tag order + AES-256-GCM with a fresh key".into(),
        [found + opened, ours],
        OPEN_GOAL,
    ));
    Ok(found)
}

/// Nothing but the cipher. With other additional data than the row was sealed with the tag differs, after
/// the same work.
fn bare_open(key: &SealKey, sealed: &mut [u8]) {
    let Some((nonce, ciphertext)) = sealed.split_first_chunk_mut::<12>() else { return };
    let Ok(unbound) = UnboundKey::new(&AES_256_GCM, key.expose()) else { return };
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let key = LessSafeKey::new(unbound);
    let _ = black_box(key.open_in_place(nonce, Aad::from([0_u8; 80]), ciphertext).is_ok());
}

/// What the base takes once everybody was released, and the most it took while that was done.
fn memory(arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let town = Town::new(arguments.people, arguments.lines)?;
    let rows = Rows::open(&directory.path().join("rows"), &town.scope)?;
    town.fill(&rows, 1000)?;
    let mut base = Base::new(&town.scope, town.policy.catalogue.clone());
    base.catch_up(&rows)?;
    let before = resident("VmRSS:")?;
    base.release(town.release()?, &rows)?;
    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / arguments.people as f64;
    let (kept, most) = (each(resident("VmRSS:")?), each(resident("VmHWM:")?));
    drop(base);
    figure(report, "at most while a release was taken over, for each person", most, "bytes");
    report.compared.push(Compared::new(
        format!("bytes in memory for each person of the base with {} lines", arguments.lines),
        "the goal itself".into(),
        [BYTES_GOAL, kept],
        1.0,
    ));
    Ok(())
}

/// A line of what the system says of this process, in bytes.
fn resident(which: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(which));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the system says how large this is")?.parse::<u64>()? * 1024)
}

/// First match with more and more people, each with so many rows in every line.
fn growth(arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let mut points = vec![];
    for people in SIZES {
        let directory = tempfile::tempdir_in(&arguments.directory)?;
        let town = Town::new(people, LINES)?;
        let rows = Rows::open(&directory.path().join("rows"), &town.scope)?;
        town.fill(&rows, TIMES * people)?;
        let mut times = vec![];
        for _ in 0..arguments.rounds.max(1) {
            let mut base = Base::new(&town.scope, town.policy.catalogue.clone());
            base.catch_up(&rows)?;
            let release = town.release()?;
            let began = Instant::now();
            base.release(release, &rows)?;
            times.push(began.elapsed().as_secs_f64());
        }
        let time = median(times);
        figure(report, format!("first match of {people} people with {LINES} lines"), time, "s");
        points.push(((people as f64).ln(), time.ln()));
    }
    report.compared.push(Compared::new(
        "growth of first match with the base and the rows: exponent".into(),
        "1 is as much again for as many again".into(),
        [1.0, exponent(&points)],
        GROWTH_GOAL,
    ));
    Ok(())
}

/// The slope of the straight line that is nearest to the points.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0., 0.), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (x, y) = (x / count, y / count);
    let slope = |(above, below): (f64, f64), point: &(f64, f64)| {
        (above + (point.0 - x) * (point.1 - y), below + (point.0 - x).powi(2))
    };
    let (above, below) = points.iter().fold((0., 0.), slope);
    above / below
}

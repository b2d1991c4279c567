//! The generated code that proto checks in: made from the .proto files without protoc.
//!
//! Used by `generate`, which writes it, and by the architecture test, which holds it fresh.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use prost::Message;

const DIRECTORY: &str = "matching/v1";

/// File name to content, for every file below `proto/src/wire` that is generated.
///
/// # Errors
/// A .proto file that does not compile, with its line.
pub fn files(proto_dir: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut sources = vec![];
    for entry in fs::read_dir(proto_dir.join(DIRECTORY))? {
        sources.push(Path::new(DIRECTORY).join(entry?.file_name()));
    }
    sources.sort();
    let descriptors =
        protox::compile(sources, [proto_dir]).context("compiling the .proto files")?;
    let out = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .out_dir(out.path())
        .compile_fds(descriptors.clone())?;
    let mut files = BTreeMap::from([("descriptor.bin".into(), descriptors.encode_to_vec())]);
    for entry in fs::read_dir(out.path())? {
        let path = entry?.path();
        let name = path.file_name().context("a generated file has a name")?;
        files.insert(name.to_string_lossy().into_owned(), fs::read(&path)?);
    }
    Ok(files)
}

//! `cargo run --release --bin generate`: writes proto/src/wire from the .proto files.

use std::{fs, path::Path};

fn main() -> anyhow::Result<()> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    for (name, content) in tests::generated::files(&proto)? {
        fs::write(proto.join("src/wire").join(name), content)?;
    }
    Ok(())
}

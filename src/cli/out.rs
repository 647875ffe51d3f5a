//! Rules for a command's output file: it never replaces an input, and another existing file only with `--force`.

use anyhow::{Result, bail};
use std::fs;
use std::path::Path;

/// Whether a file that is there may be replaced.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[group(skip)]
pub struct ForceArgs {
    /// Replace what --out names where it is there already
    #[arg(long)]
    pub force: bool,
}

impl ForceArgs {
    /// Checks that a result may, and apparently can, be written to `out`, before any work is spent on it. `inputs` are
    /// the files that the command reads.
    ///
    /// # Errors
    /// Fails where `out` is one of them, exists already, is a directory, lies in none, or stands for stdout.
    pub fn allow<'a>(self, out: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let shown = out.display();
        if out == Path::new("-") {
            bail!("--out -: this is not written to stdout; name a file (./- for one of that name)");
        }
        if out.is_dir() {
            bail!("--out {shown} is a directory; give the file to write");
        }
        if inputs.into_iter().any(|input| is_same(input, out)) {
            bail!("--out is the graph itself ({shown}); write the result elsewhere");
        }
        let folder = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            bail!("--out {shown}: there is no directory {}; make it first", folder.display());
        }
        // A pipe or a device is written to and not replaced.
        if !self.force && out.is_file() {
            bail!("--out {shown} is there already; give --force to replace it, or another name");
        }
        Ok(())
    }
}

/// Returns true where both paths lead to one existing file.
fn is_same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

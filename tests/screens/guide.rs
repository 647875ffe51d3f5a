//! The guide's page of keys is made from the command table.

use circuitscope::tui::{Keymap, key_table_markdown};
use std::fs;
use std::path::Path;

/// What follows the page's introduction: the heading of the first table.
const BEGIN: &str = "\n**";

#[test]
fn the_guide_lists_the_keys_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guide/keys.md");
    let page = fs::read_to_string(&path).unwrap();
    let (introduction, _) = page.split_once(BEGIN).unwrap();
    let current = format!("{introduction}\n{}\n", key_table_markdown(&Keymap::usual()).trim_end());
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(&path, current).unwrap();
    } else {
        assert_eq!(page, current, "the guide's keys are stale: run this test with UPDATE_GUIDE=1");
    }
}

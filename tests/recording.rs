//! What a process that records writes about loops that cannot be tuned. The test runs itself again,
//! because recording is decided once for a process.

#![cfg(feature = "record")]

use std::collections::HashMap;
use std::process::Command;

use rayon::prelude::*;

#[amorsize::tune]
fn lengths(words: &HashMap<u32, String>) -> usize {
    words.par_iter().map(|(_, word)| word.len()).sum()
}

#[test]
fn a_loop_that_cannot_be_tuned_is_recorded_once() {
    const FOLDER: &str = "AMORSIZE_RECORD";
    if std::env::var_os(FOLDER).is_some() {
        let words = (0..100).map(|n| (n, n.to_string())).collect();
        for _ in 0..10 {
            assert_eq!(lengths(&words), 190);
        }
        return;
    }
    let folder = std::env::temp_dir().join(format!("amorsize-recording-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let status = Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "a_loop_that_cannot_be_tuned_is_recorded_once"])
        .env(FOLDER, &folder)
        .status();
    let text: String = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a text"))
        .collect();
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    assert!(status.expect("a test can be run").success());
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines, ["untuned\trecording::lengths"], "{text}");
}

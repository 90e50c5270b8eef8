//! What a process that records writes. Each test runs itself again, because recording is decided once
//! for a process.

#![cfg(feature = "record")]

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use amorsize::Tune;
use rayon::prelude::*;

mod unset;

use unset::unset_variables;

/// The variable that makes a process record, and names the folder.
const FOLDER: &str = "AMORSIZE_RECORD";

/// What this test, run again by itself with recording on, writes beyond the line about the machine;
/// `None` in that run.
fn recorded(test: &str) -> Option<String> {
    if std::env::var_os(FOLDER).is_some() {
        return None;
    }
    let folder = std::env::temp_dir().join(format!("amorsize-{test}-{}", std::process::id()));
    // What an earlier process with this number has left.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let status =
        unset_variables(&mut Command::new(std::env::current_exe().expect("a test has a path")))
            .args(["--exact", test])
            .env(FOLDER, &folder)
            .env("RAYON_NUM_THREADS", "8")
            .env("AMORSIZE_MEMORY", "4GiB")
            .status();
    let text: String = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a text"))
        .collect();
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    assert!(status.expect("a test can be run").success());
    Some(text.split_once('\n').expect("the line about the machine").1.to_owned())
}

#[amorsize::tune]
fn lengths(words: &HashMap<u32, String>) -> usize {
    words.par_iter().map(|(_, word)| word.len()).sum()
}

#[test]
fn a_loop_that_cannot_be_tuned_is_recorded_once() {
    let Some(text) = recorded("a_loop_that_cannot_be_tuned_is_recorded_once") else {
        let words = (0..100).map(|n| (n, n.to_string())).collect();
        return (0..10).for_each(|_| assert_eq!(lengths(&words), 190));
    };
    assert_eq!(text, "untuned\trecording::lengths\n");
}

#[amorsize::tune]
fn cells(xs: &[u64]) -> impl IndexedParallelIterator<Item = &u64> {
    xs.par_iter()
}

#[test]
fn a_loop_that_rayon_runs_for_generic_code_is_recorded_as_one_that_cannot_be_tuned() {
    let name = "a_loop_that_rayon_runs_for_generic_code_is_recorded_as_one_that_cannot_be_tuned";
    let Some(text) = recorded(name) else {
        assert_eq!(cells(&[1, 2]).enumerate().map(|(i, x)| i as u64 + x).sum::<u64>(), 4);
        return;
    };
    assert_eq!(text, "untuned\trecording::cells\n");
}

/// A collection that goes on for two milliseconds after all items are done.
struct Slow(u64);

impl FromParallelIterator<u64> for Slow {
    fn from_par_iter<I: IntoParallelIterator<Item = u64>>(items: I) -> Self {
        let sum = items.into_par_iter().sum();
        std::thread::sleep(Duration::from_millis(2));
        Slow(sum)
    }
}

#[amorsize::tune]
fn slow_sum(xs: &[u64]) -> Slow {
    xs.par_iter().map(|x| x + 1).filter(|x| x % 2 == 0).collect()
}

#[test]
fn a_call_is_recorded_with_what_its_collection_does_after_it() {
    let Some(text) = recorded("a_call_is_recorded_with_what_its_collection_does_after_it") else {
        let xs: Vec<u64> = (0..1_000).collect();
        return (0..20).for_each(|_| assert_eq!(slow_sum(&xs).0, 250_500));
    };
    let wall_ns = |line: &str| line.split('\t').nth(5).and_then(|column| column.parse().ok());
    let calls: Vec<u64> = text.lines().map(|line| wall_ns(line).expect("a time")).collect();
    assert_eq!(calls.len(), 20);
    // The first call is measured from within, for the time of an item.
    assert!(calls[1..].iter().all(|wall_ns| *wall_ns >= 2_000_000), "{text}");
}

#[amorsize::tune(cost = rows.first().map_or(1, Vec::len))]
fn row_sums(rows: Vec<Vec<u32>>) -> Vec<u32> {
    rows.into_par_iter().map(|row| row.into_iter().sum()).collect()
}

#[test]
fn the_cost_of_an_item_is_recorded_with_each_call() {
    let Some(text) = recorded("the_cost_of_an_item_is_recorded_with_each_call") else {
        for length in [1, 7, 40] {
            assert_eq!(row_sums(vec![vec![2; length]; 3]), [2 * length as u32; 3]);
        }
        return;
    };
    let column = |line: &str, index| line.split('\t').nth(index).expect("a column").to_owned();
    let calls: Vec<(String, String)> =
        text.lines().map(|line| (column(line, 2), column(line, 3))).collect();
    let expected = ["1.0", "7.0", "40.0"].map(|cost| ("3".to_owned(), cost.to_owned()));
    assert_eq!(calls, expected, "{text}");
}

#[amorsize::tune(deterministic)]
fn roots(xs: &[f64]) -> f64 {
    xs.par_iter().map(|x| x.sqrt()).sum()
}

#[test]
fn a_deterministic_loop_is_so_while_it_is_recorded() {
    let Some(text) = recorded("a_deterministic_loop_is_so_while_it_is_recorded") else {
        let xs: Vec<f64> = (0..100_000).map(f64::from).collect();
        let first = roots(&xs);
        return (0..300).for_each(|_| assert_eq!(roots(&xs).to_bits(), first.to_bits()));
    };
    assert!(text.contains("\tserial\t") && !text.contains("\trayon\t"), "{text}");
}

fn pairs(xs: &[u32]) -> rayon::slice::Chunks<'_, u32> {
    xs.par_chunks(2)
}

#[amorsize::tune(cost = 5)]
fn sums(xs: &[u32]) -> (Vec<u32>, u32) {
    let sums = amorsize::tuned!(pairs(xs), cost = 2_u8).map(|pair| pair.iter().sum()).collect();
    (sums, xs.par_iter().sum())
}

#[test]
fn a_marked_loop_is_recorded_with_its_own_cost_and_the_others_with_that_of_the_function() {
    let name =
        "a_marked_loop_is_recorded_with_its_own_cost_and_the_others_with_that_of_the_function";
    let Some(text) = recorded(name) else {
        return assert_eq!(sums(&[1, 2, 3, 4]), (vec![3, 7], 10));
    };
    let calls: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').enumerate().filter(|(at, _)| [2, 3].contains(at)))
        .map(|columns| columns.map(|(_, text)| text).collect())
        .collect();
    assert_eq!(calls, [["2", "2.0"], ["4", "5.0"]], "{text}");
}

#[amorsize::tune(kernel)]
fn cube(x: u64) -> u64 {
    x * x * x
}

#[test]
fn calls_of_a_kernel_are_sampled_until_a_loop_makes_them() {
    let Some(text) = recorded("calls_of_a_kernel_are_sampled_until_a_loop_makes_them") else {
        assert_eq!((0..5).map(cube).sum::<u64>(), 100);
        let cubes = || (0..5_u32).into_par_iter().tuned(CUBE).map(|x| cube(x.into()));
        return assert_eq!(cubes().sum::<u64>(), 100);
    };
    let items: Vec<&str> = text
        .lines()
        .map(|line| {
            assert!(line.ends_with("\trecording::cube"), "{line}");
            line.split('\t').nth(2).expect("the number of items")
        })
        .collect();
    assert_eq!(items, ["1", "1", "1", "1", "1", "5"], "{text}");
}

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[amorsize::tune(memory = "1GiB")]
fn large_items(n: u32) {
    (0..n).into_par_iter().for_each(|_| {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        for x in 0..20_000_u64 {
            std::hint::black_box(x);
        }
        NOW.fetch_sub(1, Ordering::SeqCst);
    });
}

#[test]
fn under_every_setting_only_so_many_items_run_at_a_time_as_fit_into_the_memory() {
    let name = "under_every_setting_only_so_many_items_run_at_a_time_as_fit_into_the_memory";
    let Some(text) = recorded(name) else {
        (0..60).for_each(|_| large_items(64));
        return assert!(MOST.load(Ordering::SeqCst) <= 3);
    };
    assert!(text.contains("rayon") && text.contains("serial"), "{text}");
}

#[amorsize::tune]
fn inner_sum(row: &[u64]) -> u64 {
    row.par_iter().map(|x| x * x).sum()
}

#[amorsize::tune]
fn outer_sums(rows: &[Vec<u64>]) -> Vec<u64> {
    rows.par_iter().map(|row| inner_sum(row)).collect()
}

#[test]
fn a_loop_and_those_within_its_items_are_measured_in_turns() {
    let Some(text) = recorded("a_loop_and_those_within_its_items_are_measured_in_turns") else {
        let rows = vec![vec![3; 100]; 4];
        return (0..9).for_each(|_| assert_eq!(outer_sums(&rows), [900; 4]));
    };
    let names: Vec<&str> = text.lines().filter_map(|line| line.rsplit('\t').next()).collect();
    let (outer, inner) = ("recording::outer_sums", "recording::inner_sum");
    // Five calls of the outer loop are measured, the first one before anything is known of the inner one.
    let expected = [[outer].as_slice(), &[inner; 4]].concat().repeat(5);
    assert_eq!(names, expected[..21], "{text}");
}

//! What a process that records tells about the memory of items when it allocates through the tracking allocator.
//! Each test runs itself again, because recording is decided once for a process.

#![cfg(feature = "record")]

use std::process::Command;
use std::thread;

use amorsize::TrackingAllocator;
use rayon::prelude::*;

mod unset;

use unset::unset_variables;

#[global_allocator]
static ALLOCATOR: TrackingAllocator = TrackingAllocator::system();

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The last numbers of bytes per task that this test, run again by itself with recording on, writes, by the name of
/// the loop; `None` in that run.
fn recorded(test: &str) -> Option<Vec<(String, usize)>> {
    const FOLDER: &str = "AMORSIZE_RECORD";
    if std::env::var_os(FOLDER).is_some() {
        return None;
    }
    let folder = std::env::temp_dir().join(format!("amorsize-{test}-{}", std::process::id()));
    // What an earlier process with this number has left.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let output =
        unset_variables(&mut Command::new(std::env::current_exe().expect("a test has a path")))
            .args(["--exact", test])
            .env(FOLDER, &folder)
            .env("RAYON_NUM_THREADS", "4")
            .output();
    let text: String = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a text"))
        .collect();
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    let output = output.expect("a test can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut bytes: Vec<(String, usize)> = Vec::new();
    for line in text.lines() {
        let Some(fields) = line.strip_prefix("memory\t") else { continue };
        let fields: Vec<&str> = fields.split('\t').collect();
        let [evidence, number, _, name] = fields[..] else { panic!("{line}") };
        // Nobody looks at the resident memory where the allocator tells more.
        assert_eq!(evidence, "task", "{line}");
        let name = name.strip_prefix("tracking::").expect("a loop of this file").to_owned();
        let number = number.parse().expect("a number");
        bytes.retain(|(other, _)| *other != name);
        bytes.push((name, number));
    }
    bytes.sort();
    Some(bytes)
}

fn filled(bytes: usize) -> Vec<u8> {
    std::hint::black_box(vec![1; bytes])
}

#[amorsize::tune]
fn small_scratch() -> usize {
    (0..100_usize).into_par_iter().map(|_| filled(64 * KIB).len()).sum()
}

#[amorsize::tune]
fn medium_scratch() -> usize {
    (0..20_usize).into_par_iter().map(|_| filled(8 * MIB).len()).sum()
}

#[amorsize::tune]
fn large_scratch() -> usize {
    (0..4_usize).into_par_iter().map(|_| filled(64 * MIB).len()).sum()
}

#[amorsize::tune]
fn two_at_a_time() -> usize {
    let one_then_two = |_| {
        let one = filled(2 * MIB).len();
        let two = (filled(MIB), filled(3 * MIB));
        one + two.0.len() + two.1.len()
    };
    (0..20_usize).into_par_iter().map(one_then_two).sum()
}

#[amorsize::tune]
fn one_of_many_is_large() -> usize {
    let size = |i| if i == 13 { 4 * MIB } else { 64 * KIB };
    (0..40_usize).into_par_iter().map(|i| filled(size(i)).len()).sum()
}

#[amorsize::tune]
fn nothing() -> usize {
    (0..10_000_usize).into_par_iter().map(|i| i ^ 1).sum()
}

#[test]
fn scratch_memory_is_known_to_the_byte() {
    let Some(bytes) = recorded("scratch_memory_is_known_to_the_byte") else {
        for call in [small_scratch, medium_scratch, large_scratch, two_at_a_time] {
            assert!((0..3).all(|_| call() > 0));
        }
        assert!((0..3).all(|_| one_of_many_is_large() + nothing() > 0));
        return;
    };
    let expected = [
        ("large_scratch", 64 * MIB),
        ("medium_scratch", 8 * MIB),
        ("nothing", 0),
        ("one_of_many_is_large", 4 * MIB),
        ("small_scratch", 64 * KIB),
        ("two_at_a_time", 4 * MIB),
    ];
    assert_eq!(bytes, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
}

#[amorsize::tune]
fn results() -> Vec<Vec<u8>> {
    let page = |_| filled(3 * MIB)[..MIB].to_vec();
    (0..30_usize).into_par_iter().map(page).collect()
}

#[amorsize::tune]
fn many_small_results() -> Vec<u64> {
    (0..200_000_u64).into_par_iter().filter(|i| i % 4 != 3).collect()
}

#[amorsize::tune]
fn inputs_given_back() -> usize {
    let inputs: Vec<Vec<u8>> = (0..20).map(|_| filled(MIB)).collect();
    inputs.into_par_iter().map(|input| input.len() + filled(64 * KIB).len()).sum()
}

#[amorsize::tune]
fn folders() -> usize {
    let count = |mut counts: Vec<u8>, i: usize| {
        counts[i] += 1;
        counts
    };
    let items = (0..1_000_usize).into_par_iter();
    items.fold(|| filled(2 * MIB), count).map(|counts| counts.len()).max().unwrap_or(0)
}

#[amorsize::tune]
fn given_back_elsewhere() -> usize {
    let elsewhere = |_| {
        let memory = filled(MIB);
        thread::scope(|scope| scope.spawn(move || memory.len()).join().unwrap_or(0))
    };
    (0..20_usize).into_par_iter().map(elsewhere).sum()
}

#[test]
fn results_and_folders_count_once_for_a_worker_and_inputs_do_not() {
    let Some(bytes) = recorded("results_and_folders_count_once_for_a_worker_and_inputs_do_not")
    else {
        for _ in 0..3 {
            assert_eq!((results().len(), many_small_results().len()), (30, 150_000));
            assert!(inputs_given_back() + folders() + given_back_elsewhere() > 0);
        }
        return;
    };
    let of = |name: &str| {
        let found = bytes.iter().find(|(other, _)| other == name);
        found.unwrap_or_else(|| panic!("{name} is not in {bytes:?}")).1
    };
    assert_eq!(of("results"), 4 * MIB);
    // What the vector of results takes when it grows is no item's.
    assert!(of("many_small_results") < 64 * KIB, "{bytes:?}");
    assert_eq!(of("inputs_given_back"), 64 * KIB);
    assert!((2 * MIB..2 * MIB + 64 * KIB).contains(&of("folders")), "{bytes:?}");
    // The thread that is started takes something too.
    assert!((MIB..MIB + 64 * KIB).contains(&of("given_back_elsewhere")), "{bytes:?}");
}

#[amorsize::tune(kernel)]
fn kernel_with_scratch() -> usize {
    filled(8 * MIB).len()
}

#[amorsize::tune(kernel)]
fn kernel_with_result(item: u8) -> Vec<u8> {
    let size = if item == 3 { 5 * MIB } else { 3 * MIB };
    filled(size)[..MIB].to_vec()
}

#[amorsize::tune(kernel)]
fn kernel_that_gives_back(input: Vec<u8>) -> usize {
    let bytes = input.len() + filled(64 * KIB).len();
    drop(input);
    bytes
}

#[amorsize::tune(kernel)]
fn kernel_with_nothing(item: u8) -> u8 {
    item ^ 1
}

#[test]
fn the_memory_of_a_kernel_is_known_to_the_byte() {
    let Some(bytes) = recorded("the_memory_of_a_kernel_is_known_to_the_byte") else {
        assert!((0..5).all(|_| kernel_with_scratch() == 8 * MIB));
        let results: Vec<Vec<u8>> = (0..5).map(kernel_with_result).collect();
        assert!(results.iter().all(|result| result.len() == MIB));
        assert!((0..5).all(|_| kernel_that_gives_back(filled(MIB)) > MIB));
        assert!((0..5).all(|item| kernel_with_nothing(item) < 6));
        return;
    };
    let expected = [
        ("kernel_that_gives_back", 64 * KIB),
        ("kernel_with_nothing", 0),
        ("kernel_with_result", 6 * MIB),
        ("kernel_with_scratch", 8 * MIB),
    ];
    assert_eq!(bytes, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
}

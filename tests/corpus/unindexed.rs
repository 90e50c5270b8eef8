//! What rayon cannot index: passed through, and run as rayon runs it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList};

use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::{ascending, numbers, rows, text, words};

fn pairs<M: FromIterator<(u32, u32)>>(n: usize) -> M {
    numbers(n).into_iter().enumerate().map(|(i, x)| (x, i as u32)).collect()
}

fn set<S: FromIterator<u32>>(n: usize) -> S {
    numbers(n).into_iter().collect()
}

fn sorted<T: Ord>(mut xs: Vec<T>) -> Vec<T> {
    xs.sort();
    xs
}

programs! { Unindexed, n;
    collect_what_is_not_indexed_into_an_option(xs: &[u32] = &numbers(n)) -> Option<BTreeSet<u32>> {
        xs.iter().par_bridge().map(|x| x.checked_add(1)).collect()
    }
    hash_map_by_reference(map: &HashMap<u32, u32> = &pairs(n)) -> u32 {
        map.par_iter().map(|(key, value)| key ^ value).sum()
    }
    hash_map_by_value(map: HashMap<u32, u32> = pairs(n)) -> Vec<(u32, u32)> {
        sorted(map.into_par_iter().filter(|(key, _)| key % 2 == 0).collect())
    }
    mutable_hash_map(map: &mut HashMap<u32, u32> = &mut pairs(n)) -> BTreeMap<u32, u32> {
        map.par_iter_mut().for_each(|(key, value)| *value += key);
        map.iter().map(|(&key, &value)| (key, value)).collect()
    }
    drained_hash_map(map: &mut HashMap<u32, u32> = &mut pairs(n)) -> (BTreeMap<u32, u32>, usize) {
        (map.par_drain().collect(), map.len())
    }
    hash_set_by_reference(set: &HashSet<u32> = &set(n)) -> Option<&u32> { set.par_iter().max() }
    hash_set_by_value(set: HashSet<u32> = set(n)) -> BTreeSet<u32> {
        set.into_par_iter().map(|x| x * 2).collect()
    }
    drained_hash_set(set: &mut HashSet<u32> = &mut set(n)) -> (u32, usize) {
        (set.par_drain().sum(), set.len())
    }
    btree_map_by_reference(map: &BTreeMap<u32, u32> = &pairs(n)) -> Vec<(&u32, &u32)> {
        map.par_iter().collect()
    }
    btree_map_by_value(map: BTreeMap<u32, u32> = pairs(n)) -> Vec<u32> {
        map.into_par_iter().map(|(key, value)| key * value).collect()
    }
    mutable_btree_map(map: &mut BTreeMap<u32, u32> = &mut pairs(n)) -> BTreeMap<u32, u32> {
        map.par_iter_mut().for_each(|(_, value)| *value = 1);
        map.clone()
    }
    btree_set_by_reference(set: &BTreeSet<u32> = &set(n)) -> Vec<u32> {
        set.par_iter().map(|x| x + 1).collect()
    }
    btree_set_by_value(set: BTreeSet<u32> = set(n)) -> u32 { set.into_par_iter().sum() }
    linked_list_by_reference(list: &LinkedList<u32> = &set(n)) -> Vec<&u32> {
        list.par_iter().collect()
    }
    linked_list_by_value(list: LinkedList<u32> = set(n)) -> u32 { list.into_par_iter().sum() }
    mutable_linked_list(list: &mut LinkedList<u32> = &mut set(n)) -> LinkedList<u32> {
        list.par_iter_mut().for_each(|x| *x = 1 - *x % 2);
        list.clone()
    }

    chars(text: &str = &text(n)) -> Vec<char> {
        text.par_chars().filter(|c| c.is_alphabetic()).collect()
    }
    chars_of_a_string(text: String = text(n)) -> String { text.par_chars().rev_case().collect() }
    char_indices(text: &str = &text(n)) -> Option<(usize, char)> {
        text.par_char_indices().filter(|(_, c)| !c.is_ascii()).max()
    }
    bytes(text: &str = &text(n)) -> u32 { text.par_bytes().map(u32::from).sum() }
    utf16(text: &str = &text(n)) -> Vec<u16> { text.par_encode_utf16().collect() }
    lines(text: &str = &text(n)) -> Vec<usize> { text.par_lines().map(str::len).collect() }
    split_at_commas(text: &str = &text(n)) -> Vec<&str> { text.par_split(',').collect() }
    split_at_any_of(text: &str = &text(n)) -> usize { text.par_split([',', ' ']).count() }
    split_by_a_predicate(text: &str = &text(n)) -> Vec<&str> {
        text.par_split(|c: char| !c.is_ascii()).collect()
    }
    split_inclusively(text: &str = &text(n)) -> Vec<&str> {
        text.par_split_inclusive('\n').collect()
    }
    split_at_terminators(text: &str = &text(n)) -> Vec<&str> {
        text.par_split_terminator('\n').collect()
    }
    split_at_whitespace(text: &str = &text(n)) -> Vec<String> {
        text.par_split_whitespace().map(str::to_uppercase).collect()
    }
    split_at_ascii_whitespace(text: &str = &text(n)) -> Option<&str> {
        text.par_split_ascii_whitespace().max()
    }
    matches_of_a_pattern(text: &str = &text(n)) -> usize { text.par_matches('1').count() }
    indices_of_matches(text: &str = &text(n)) -> Vec<(usize, &str)> {
        text.par_match_indices('w').collect()
    }
    drained_string(text: &mut String = &mut text(n)) -> (String, String) {
        (text.par_drain(..).filter(|c| !c.is_whitespace()).collect(), text.clone())
    }

    chunks_by(xs: &[u32] = &ascending(n)) -> Vec<&[u32]> {
        xs.par_chunk_by(|x, y| x == y).collect()
    }
    mutable_chunks_by(xs: &mut [u32] = &mut ascending(n)) -> Vec<u32> {
        xs.par_chunk_by_mut(|x, y| x == y).for_each(|chunk| chunk[0] = 0);
        xs.to_vec()
    }
    split_slice(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        xs.par_split(|x| x % 7 == 0).map(<[u32]>::len).collect()
    }
    slice_split_inclusively(xs: &[u32] = &numbers(n)) -> Vec<&[u32]> {
        xs.par_split_inclusive(|x| x % 7 == 0).collect()
    }
    mutable_split_slice(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_split_mut(|x| x % 7 == 0).for_each(<[u32]>::sort);
        xs.to_vec()
    }
    mutable_slice_split_inclusively(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_split_inclusive_mut(|x| x % 7 == 0).for_each(<[u32]>::reverse);
        xs.to_vec()
    }

    bridged(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        sorted(xs.iter().par_bridge().map(|x| x + 1).collect())
    }
    bridged_with_adaptors(words: Vec<String> = words(n)) -> Vec<String> {
        let joined =
            words.into_iter().enumerate().par_bridge().map(|(i, word)| format!("{i}{word}"));
        sorted(joined.filter(|word| word.len() > 3).collect())
    }
    bridged_early_exit(n: usize = n) -> Option<usize> { (0..n).par_bridge().find_any(|&x| x == 20) }
    bridged_and_flattened(xs: Vec<Vec<u32>> = rows(n)) -> u32 {
        xs.into_iter().par_bridge().flatten_iter().sum()
    }
    map_with_state(map: &BTreeMap<u32, u32> = &pairs(n)) -> Vec<u32> {
        map.par_iter().map_with(1, |one, (key, value)| *one + key + value).collect()
    }
    maps_chained(map: &BTreeMap<u32, u32> = &pairs(n), set: &BTreeSet<u32> = &set(n)) -> Vec<u32> {
        map.par_iter().map(|(key, _)| *key).chain(set.par_iter().copied()).collect()
    }
    inclusive_range_of_all_of_u64(n: u64 = n as u64) -> Option<u64> {
        (0..=u64::MAX).into_par_iter().find_any(|&x| x == n)
    }
    chain_that_is_too_long_to_count(n: usize = n) -> Option<usize> {
        (0..usize::MAX).into_par_iter().chain(0..10).find_any(|&x| x == n)
    }
    first_of_a_chain_that_is_too_long_to_count(n: usize = n) -> Option<usize> {
        (0..usize::MAX).into_par_iter().chain(0..10).find_first(|&x| x == n)
    }
    fold_over_a_map(map: &HashMap<u32, u32> = &pairs(n)) -> u64 {
        map.par_iter().fold(|| 0, |sum, (key, value)| sum + u64::from(key * value)).sum()
    }
    try_over_a_set(set: &BTreeSet<u32> = &set(n)) -> Result<(), u32> {
        set.par_iter().try_for_each(|&x| if x == 500 { Err(x) } else { Ok(()) })
    }
}

/// An adaptor of the user's.
trait ReverseCase: ParallelIterator<Item = char> {
    fn rev_case(self) -> impl ParallelIterator<Item = char> {
        self.map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
    }
}

impl<I: ParallelIterator<Item = char>> ReverseCase for I {}

//! Loops whose items are dear: without a plan in force they go parallel, most of them in mid-call.

use std::collections::{BTreeMap, BTreeSet, LinkedList};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::counted::Counted;
use crate::harness::programs;
use crate::inputs::{counted, numbers, others, rows, spin};

programs! { Indexed, n;
    map(xs: &[u32] = &numbers(n)) -> Vec<u32> { xs.par_iter().map(|&x| spin(x)).collect() }
    map_of_a_range(n: u64 = n as u64) -> Vec<u32> {
        (0..n).into_par_iter().map(|x| spin(x as u32)).collect()
    }
    mutable_slice(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_iter_mut().enumerate().for_each(|(i, x)| *x = spin(*x) ^ i as u32);
        xs.to_vec()
    }
    every_item_once(xs: &[u32] = &numbers(n)) -> (u32, usize) {
        let calls = AtomicUsize::new(0);
        let max = xs
            .par_iter()
            .map(|&x| {
                calls.fetch_add(1, Ordering::Relaxed);
                spin(x)
            })
            .max();
        (max.unwrap_or(0), calls.into_inner())
    }
    filter(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().filter(|x| spin(**x) % 3 == 0).collect()
    }
    flat_map_iter(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().flat_map_iter(|&x| (0..x % 3).map(move |y| spin(x + y))).collect()
    }
    fold_in_order(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let pushed = |mut all: Vec<u32>, x: &u32| {
            all.push(spin(*x));
            all
        };
        xs.par_iter().fold(Vec::new, pushed).reduce(Vec::new, |left, right| [left, right].concat())
    }
    fold_into_maps(xs: &[u32] = &numbers(n)) -> BTreeMap<u32, Vec<usize>> {
        let noted = |mut all: BTreeMap<u32, Vec<usize>>, (i, x): (usize, &u32)| {
            all.entry(spin(*x) % 10).or_default().push(i);
            all
        };
        xs.par_iter().enumerate().fold(BTreeMap::new, noted).reduce(
            BTreeMap::new,
            |mut left, right| {
                right.into_iter().for_each(|(key, more)| left.entry(key).or_default().extend(more));
                left
            },
        )
    }
    concatenation(xs: &[u32] = &numbers(n)) -> String {
        xs.par_iter().map(|&x| spin(x).to_string()).reduce(String::new, |left, right| left + &right)
    }
    zip_and_chunks(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> Vec<u32> {
        xs.par_chunks(3).zip(ys.par_chunks(3)).map(|(x, y)| spin(x[0]) ^ spin(y[0])).rev().collect()
    }
    find_first(xs: &[u32] = &numbers(n)) -> Option<usize> {
        xs.par_iter().position_first(|&x| spin(x) % 50 == 7)
    }
    find_last(xs: &[u32] = &numbers(n)) -> Option<&u32> {
        xs.par_iter().find_last(|x| spin(**x) % 50 == 7)
    }
    try_for_each(xs: &[u32] = &numbers(n)) -> Result<(), u32> {
        xs.par_iter().try_for_each(|&x| if spin(x) == spin(99) { Err(x) } else { Ok(()) })
    }
    collect_into_a_list(xs: &[u32] = &numbers(n)) -> LinkedList<u32> {
        xs.par_iter().map(|&x| spin(x)).collect()
    }
    collect_into_a_set(xs: &[u32] = &numbers(n)) -> BTreeSet<u32> {
        xs.par_iter().map(|&x| spin(x) % 99).collect()
    }
    collect_into_a_result(xs: &[u32] = &numbers(n)) -> Result<Vec<u32>, u32> {
        xs.par_iter().map(|&x| if x == 500 { Err(spin(x)) } else { Ok(spin(x)) }).collect()
    }
    collect_into_vec(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        let mut all = Vec::new();
        items
            .into_par_iter()
            .update(|item| item.set(spin(item.value())))
            .collect_into_vec(&mut all);
        all
    }
    unzip(items: Vec<Counted> = counted(n)) -> (Vec<Counted>, Vec<u32>) {
        items
            .into_par_iter()
            .map(|item| {
                let x = spin(item.value());
                (item, x)
            })
            .unzip()
    }
    loop_in_a_loop(rows: &[Vec<u32>] = &rows(n)) -> Vec<u32> {
        rows.par_iter().map(|row| row.par_iter().map(|&x| spin(x)).max().unwrap_or(0)).collect()
    }
    items_that_grow_dearer(n: u32 = n as u32) -> Vec<u32> {
        (0..n).into_par_iter().map(|i| (0..i / 50).fold(i, |x, _| spin(x))).collect()
    }
    one_dear_item(n: u32 = n as u32) -> Vec<u32> {
        (0..n)
            .into_par_iter()
            .map(|i| if i == 5 { (0..99).fold(i, |x, _| spin(x)) } else { i })
            .collect()
    }
    panic_in_mid_call(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        let spun = |item: Counted| {
            assert!(item.value() != 400, "item 400");
            spin(item.value())
        };
        items.into_par_iter().map(spun).collect()
    }
    constraints(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().with_min_len(4).with_max_len(9).map(|&x| spin(x)).collect()
    }
    several_loops(xs: &mut Vec<u32> = &mut numbers(n)) -> (Vec<u32>, usize, u64) {
        let ys: Vec<u32> = xs.par_iter().map(|&x| spin(x)).collect();
        xs.par_iter_mut().zip(&ys).for_each(|(x, y)| *x = spin(*x ^ y));
        let odd = xs.par_iter().filter(|x| **x % 2 == 1).count();
        (xs.clone(), odd, ys.par_iter().map(|&y| u64::from(spin(y))).sum())
    }
}

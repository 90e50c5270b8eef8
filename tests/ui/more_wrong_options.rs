use rayon::prelude::*;

#[amorsize::tune(chunk = 4, chunk_time = "1ms")]
fn two_chunks(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(deterministic, chunk = 4)]
fn cut_in_two_ways(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(chunk_time = "5 parsecs")]
fn no_time(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(deterministic = true)]
fn no_value(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(skip = 0)]
fn from_one(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(skip = 3)]
fn only_two(xs: &[u32]) -> u32 {
    xs.par_iter().sum::<u32>() + xs.par_iter().map(|x| x * x).sum::<u32>()
}

#[amorsize::tune(skip = 1)]
fn all_skipped(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(kernel, skip = 1)]
fn no_loops_to_skip(x: u32) -> u32 {
    x
}

#[amorsize::tune(cost = )]
fn no_cost(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(kernel, cost = x)]
fn costs_belong_to_loops(x: u32) -> u32 {
    x
}

#[amorsize::tune(name = "a<b>")]
fn no_type_in_names(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

fn outside(xs: &[u32]) -> u32 {
    amorsize::tuned!(xs.par_iter()).sum()
}

static NAMELESS: amorsize::Loop = amorsize::tuned_loop!("");
static NUMBERED: amorsize::Loop = amorsize::tuned_loop!("stage #2");
static NAMED_TWICE: amorsize::Loop = amorsize::tuned_loop!("one", name = "two");

fn main() {
    let xs = [1];
    two_chunks(&xs) + cut_in_two_ways(&xs) + no_time(&xs) + no_value(&xs) + from_one(&xs) + only_two(&xs);
    all_skipped(&xs) + no_cost(&xs) + costs_belong_to_loops(1) + no_type_in_names(&xs) + no_loops_to_skip(1) + outside(&xs);
}

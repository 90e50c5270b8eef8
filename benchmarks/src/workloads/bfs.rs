use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Breadth-first search, a loop over each frontier: the same loop has one vertex in one call and tens
/// of thousands in another. All executors run the same loop; a search that is never parallel would do without atomic
/// levels.
pub(crate) struct Bfs;

/// The level of a vertex that was not reached yet.
const UNSEEN: u32 = u32::MAX;

/// Edges go one way: those of vertex `v` lead to `targets[offsets[v]..offsets[v + 1]]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Graph {
    offsets: Vec<usize>,
    targets: Vec<u32>,
}

impl Workload for Bfs {
    const NAME: &'static str = "bfs";
    const ORIGIN: &'static str =
        "breadth-first search in the Problem Based Benchmark Suite (Shun et al. 2012)";
    const SIZES: &'static [usize] = &[1_000, 100_000];
    const IS_ONE_CALL: bool = false;

    type Input = Graph;
    /// The number of vertices on each level.
    type Output = Vec<usize>;

    fn prepare(vertices: usize) -> Graph {
        let mut random = fastrand::Rng::with_seed(6);
        let mut graph = Graph { offsets: vec![0], targets: Vec::new() };
        for _ in 0..vertices {
            for _ in 0..random.usize(1..16) {
                graph.targets.push(random.u32(..vertices as u32));
            }
            graph.offsets.push(graph.targets.len());
        }
        graph
    }

    fn run(graph: &mut Graph, executor: Executor) -> Vec<usize> {
        let vertices = graph.offsets.len() - 1;
        let levels: Vec<_> = (0..vertices).map(|_| AtomicU32::new(UNSEEN)).collect();
        let mut frontier: Vec<u32> = (0..vertices.min(1) as u32).collect();
        frontier.iter().for_each(|&root| levels[root as usize].store(0, Relaxed));
        let mut sizes = Vec::new();
        while !frontier.is_empty() {
            sizes.push(frontier.len());
            let level = sizes.len() as u32;
            let claim = |vertex: &u32| graph.claim(*vertex, &levels, level);
            frontier = match executor {
                Executor::Serial => frontier.iter().flat_map(claim).collect(),
                Executor::Rayon => frontier.par_iter().flat_map_iter(claim).collect(),
                Executor::RayonMinLen(min) => {
                    frontier.par_iter().with_min_len(min).flat_map_iter(claim).collect()
                }
                // Under the attribute, what `collect` becomes.
                Executor::Amorsize(target) => {
                    frontier.par_iter().tuned(target).flat_map_iter(claim).collect_vec()
                }
                Executor::Orx => others::orx(&frontier, claim),
                Executor::Paralight => others::paralight(&frontier, claim),
                Executor::Forked(forked) => {
                    let claim_all = |part: &[u32]| part.iter().flat_map(claim).collect();
                    forked.fold(&frontier[..], claim_all, append)
                }
            };
        }
        sizes
    }
}

impl Graph {
    fn neighbours(&self, vertex: u32) -> &[u32] {
        let vertex = vertex as usize;
        &self.targets[self.offsets[vertex]..self.offsets[vertex + 1]]
    }

    /// The unseen neighbours that no other thread claims.
    fn claim(&self, vertex: u32, levels: &[AtomicU32], level: u32) -> impl Iterator<Item = u32> {
        self.neighbours(vertex).iter().copied().filter(move |&neighbour| {
            let seen = &levels[neighbour as usize];
            seen.load(Relaxed) == UNSEEN
                && seen.compare_exchange(UNSEEN, level, Relaxed, Relaxed).is_ok()
        })
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::append;
    use crate::forked::with_paralight;

    pub(super) fn orx<I: Iterator<Item = u32>>(
        frontier: &[u32],
        claim: impl Fn(&u32) -> I + Copy + Send,
    ) -> Vec<u32> {
        use orx_parallel::*;
        frontier.par().flat_map(claim).collect()
    }

    pub(super) fn paralight<I: Iterator<Item = u32>>(
        frontier: &[u32],
        claim: impl Fn(&u32) -> I + Sync,
    ) -> Vec<u32> {
        use paralight::prelude::*;
        let claim_more = |mut next: Vec<u32>, vertex: &u32| {
            next.extend(claim(vertex));
            next
        };
        with_paralight(|pool| {
            let frontier = frontier.par_iter().with_thread_pool(pool);
            frontier.fold_per_thread(Vec::new, claim_more, |_threads| Vec::new(), append)
        })
    }
}

fn append(mut left: Vec<u32>, mut right: Vec<u32>) -> Vec<u32> {
    left.append(&mut right);
    left
}

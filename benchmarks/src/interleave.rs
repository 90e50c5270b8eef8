//! Interleaved rounds: whatever disturbs the machine disturbs every peer alike.

use crate::executor::{self, Executor};
use crate::peer::{Peer, Pool};
use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// A timed region is at least this long, so that looking at the clock does not show.
const REGION: Duration = Duration::from_micros(30);

/// Calls in a region at most. Each costs a never-seen loop.
const MAX_CALLS: usize = 64;

/// How long rounds are run before they count. Threads that were idle may be woken on their waker's
/// core, and it takes the system some milliseconds of their running at once to set them apart.
const WARM_UP: Duration = Duration::from_millis(50);

/// How long threads that look for more work are left to it before somebody else is measured.
const UNTIL_ASLEEP: Duration = Duration::from_millis(5);

/// How long a pool works before its turn when others had theirs.
const AWAKE_AFTER: Duration = Duration::from_millis(20);

/// Measures every peer once a round, in seeded random order; returns the samples by peer. Peers that share a pool follow
/// each other. Where there are several pools, each works for a while before its turn, and one whose threads spin is left to
/// that after it, while the caller stays awake.
pub(crate) fn interleave(
    peers: &[Peer],
    rounds: usize,
    mut time: impl FnMut(&Peer) -> f64,
) -> Vec<Vec<f64>> {
    let mut random = fastrand::Rng::with_seed(0xa11ce);
    let mut order: Vec<usize> = (0..peers.len()).collect();
    let mut pools = pools(peers);
    let mut samples = vec![Vec::with_capacity(rounds); peers.len()];
    let mut warm = false;
    let start = Instant::now();
    while samples.iter().any(|samples| samples.len() < rounds) {
        random.shuffle(&mut order);
        random.shuffle(&mut pools);
        // Ending an imposed plan visits every loop of the process, of which the never-seen ones make
        // many: once a round is enough.
        let imposed_first = random.bool();
        order.sort_by_key(|&peer| peers[peer].force().is_some() != imposed_first);
        let mut imposed = None;
        for &pool in &pools {
            let turn = || order.iter().copied().filter(|&peer| peers[peer].pool() == pool);
            if pools.len() > 1 {
                let first = turn().next().map_or(Peer::Rayon, |peer| peers[peer]);
                let by = if pool == Pool::Rayon { Peer::Rayon } else { first };
                let start = Instant::now();
                while start.elapsed() < AWAKE_AFTER {
                    time(&by);
                }
            }
            for peer in turn() {
                let plan = peers[peer].force();
                if plan != imposed {
                    executor::impose(plan);
                    imposed = plan;
                }
                let sample = time(&peers[peer]);
                if warm {
                    samples[peer].push(sample);
                }
            }
            if pool.spins_on() {
                let start = Instant::now();
                while start.elapsed() < UNTIL_ASLEEP {
                    spin_loop();
                }
            }
        }
        warm |= start.elapsed() >= WARM_UP;
        if imposed.is_some() {
            executor::impose(None);
        }
    }
    samples
}

/// The pools of these peers, each once.
fn pools(peers: &[Peer]) -> Vec<Pool> {
    let mut pools = Vec::new();
    for pool in peers.iter().map(Peer::pool) {
        if !pools.contains(&pool) {
            pools.push(pool);
        }
    }
    pools
}

/// How long calls that are not counted warm up pool and caches. A loop for which cold helpers do not
/// pay takes about a millisecond of calls in a row to make them hot.
const HOT_AFTER: Duration = Duration::from_millis(2);

/// Nanoseconds per call, after other calls that warm pool and caches up. Those of a never-seen loop come after calls of one that is
/// known, as it can be called but once, and after that of another never-seen one: code that has not run for some milliseconds is as
/// slow as if it had never run.
pub(crate) fn time_calls(peer: &Peer, calls: usize, mut call: impl FnMut(Executor)) -> f64 {
    let warm_up = peer.warm_up();
    let start = Instant::now();
    loop {
        call(warm_up);
        if start.elapsed() >= HOT_AFTER {
            break;
        }
    }
    if let Peer::Unseen { .. } = peer {
        call(peer.executor());
    }
    let counted: Vec<Executor> = (0..calls).map(|_| peer.executor()).collect();
    let start = Instant::now();
    for executor in &counted {
        call(*executor);
    }
    let elapsed = start.elapsed();
    // Only now, as it may give memory back to the system.
    drop(counted);
    elapsed.as_nanos() as f64 / calls as f64
}

/// How many calls of `call_ns` each make a timed region.
pub(crate) fn calls_per_region(call_ns: f64) -> usize {
    let calls = REGION.as_nanos() as f64 / call_ns.max(1.0);
    (calls.ceil() as usize).clamp(1, MAX_CALLS)
}

/// How many rounds of regions of `call_ns` each fit into `budget`, with what goes before and after them.
pub(crate) fn rounds_within(budget: Duration, peers: &[Peer], call_ns: f64) -> usize {
    let ns = |duration: Duration| duration.as_nanos() as f64;
    let sample_ns = ns(HOT_AFTER).max(call_ns) + call_ns * calls_per_region(call_ns) as f64;
    let pools = pools(peers);
    let awake_ns = if pools.len() > 1 { ns(AWAKE_AFTER).max(sample_ns) } else { 0.0 };
    let spinning = pools.iter().filter(|pool| pool.spins_on()).count();
    let round_ns = sample_ns * peers.len() as f64
        + awake_ns * pools.len() as f64
        + ns(UNTIL_ASLEEP) * spinning as f64;
    ((budget.as_nanos() as f64 / round_ns) as usize).clamp(7, 101)
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::forked::Forked;
    use crate::openmp::Schedule;
    use crate::peer::unseen;

    #[test]
    fn every_peer_is_measured_equally_often() {
        let plan = |workers| Peer::Plan { workers, chunk: Some(1), target: unseen() };
        let peers = [Peer::Serial, plan(2), Peer::Rayon, plan(3)];
        let mut rounds = [0; 4];
        let samples = interleave(&peers, 5, |peer| {
            let at = match peer {
                Peer::Serial => 0,
                Peer::Plan { workers, .. } => *workers * 2 - 3,
                _ => 2,
            };
            rounds[at] += 1;
            at as f64
        });
        assert_eq!(rounds, [rounds[0]; 4]);
        for (peer, samples) in samples.iter().enumerate() {
            assert_eq!(*samples, [peer as f64; 5]);
        }
    }

    #[test]
    fn every_pool_works_before_its_turn_and_peers_that_share_it_follow_each_other() {
        let other = |forked| Peer::Other(Executor::Forked(forked));
        let openmp = |schedule| other(Forked::OpenMp(schedule));
        let peers = [
            openmp(Schedule::Static),
            Peer::Serial,
            other(Forked::Chili),
            openmp(Schedule::Guided),
            Peer::Rayon,
        ];
        // Who has its turn, and its calls.
        let mut turns: Vec<(Pool, usize)> = Vec::new();
        let samples = interleave(&peers, 3, |peer| {
            match turns.last_mut().filter(|(pool, _)| *pool == peer.pool()) {
                Some((_, calls)) => *calls += 1,
                None => turns.push((peer.pool(), 1)),
            }
            1.0
        });
        assert!(samples.iter().all(|samples| samples.len() == 3));
        for (pool, counted) in [(Pool::Rayon, 2), (Pool::Chili, 1), (Pool::OpenMp, 2)] {
            let mut of_pool = turns.iter().filter(|(each, _)| *each == pool).peekable();
            assert!(of_pool.peek().is_some());
            assert!(of_pool.all(|(_, calls)| *calls > counted), "{turns:?}");
        }
    }

    #[test]
    fn a_never_seen_loop_is_never_used_twice() {
        let known = unseen();
        let mut loops = Vec::new();
        time_calls(&Peer::Unseen { known }, 3, |executor| match executor {
            Executor::Amorsize(target) if ptr::eq(target, known) => assert!(loops.is_empty()),
            Executor::Amorsize(target) => loops.push(ptr::from_ref(target)),
            other => panic!("{other:?}"),
        });
        loops.sort();
        loops.dedup();
        // One that is not counted, and three that are.
        assert_eq!(loops.len(), 4);
    }

    #[test]
    fn short_calls_are_repeated_and_long_ones_are_not() {
        assert_eq!(calls_per_region(1e9), 1);
        assert_eq!(calls_per_region(1e3), 30);
        assert_eq!(calls_per_region(1.0), MAX_CALLS);
        assert_eq!(rounds_within(Duration::ZERO, &[Peer::Serial; 5], 1e9), 7);
    }
}

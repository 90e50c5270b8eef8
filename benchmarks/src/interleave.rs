//! Interleaved rounds: whatever disturbs the machine disturbs every peer alike.

use crate::executor::{self, Executor};
use crate::peer::Peer;
use std::thread;
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

/// How long rayon's pool works before its turn when others had theirs.
const AWAKE_AFTER: Duration = Duration::from_millis(20);

/// Measures every peer once a round, in seeded random order; returns the samples by peer.
pub(crate) fn interleave(
    peers: &[Peer],
    rounds: usize,
    mut time: impl FnMut(&Peer) -> f64,
) -> Vec<Vec<f64>> {
    let mut random = fastrand::Rng::with_seed(0xa11ce);
    let mut order: Vec<usize> = (0..peers.len()).collect();
    let mut samples = vec![Vec::with_capacity(rounds); peers.len()];
    let mut warm = false;
    let start = Instant::now();
    while samples.iter().any(|samples| samples.len() < rounds) {
        random.shuffle(&mut order);
        // Ending an imposed plan visits every loop of the process, of which the never-seen ones make
        // many: once a round is enough.
        let imposed_first = random.bool();
        // Peers that share rayon's pool follow each other, and it is hot again when the first one starts.
        let is_apart = |peer: usize| peers[peer].has_its_own_pool();
        order.sort_by_key(|&peer| (is_apart(peer), peers[peer].force().is_some() != imposed_first));
        if order.iter().any(|&peer| is_apart(peer)) {
            let start = Instant::now();
            while start.elapsed() < AWAKE_AFTER {
                time(&Peer::Rayon);
            }
        }
        let mut imposed = None;
        for &peer in &order {
            let plan = peers[peer].force();
            if plan != imposed {
                executor::impose(plan);
                imposed = plan;
            }
            let sample = time(&peers[peer]);
            if warm {
                samples[peer].push(sample);
            }
            if peers[peer].spins_on() {
                thread::sleep(UNTIL_ASLEEP);
            }
        }
        warm |= start.elapsed() >= WARM_UP;
        if imposed.is_some() {
            executor::impose(None);
        }
    }
    samples
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
    call(peer.executor());
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
    let calls = calls_per_region(call_ns) + 1;
    let spinning = peers.iter().filter(|peer| peer.spins_on()).count();
    let apart = peers.iter().any(Peer::has_its_own_pool);
    let around = HOT_AFTER * peers.len() as u32
        + UNTIL_ASLEEP * spinning as u32
        + AWAKE_AFTER * u32::from(apart);
    let round_ns = call_ns * (calls * peers.len()) as f64 + around.as_nanos() as f64;
    ((budget.as_nanos() as f64 / round_ns) as usize).clamp(7, 101)
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
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

//! Where the levels of this process's control groups are.
//!
//! `/proc/self/cgroup` names the process's path in each hierarchy, `/proc/self/mountinfo` says which part of a
//! hierarchy is mounted where. In a container both may begin at the container's own level or at the
//! machine's.

use crate::machine::host::Host;

/// The folder of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: String,
    pub(super) is_unified: bool,
    /// Whether it is the process's own level.
    pub(super) is_leaf: bool,
}

/// All levels in whose hierarchy processor time or memory may be limited, those of each hierarchy together,
/// from the process's own level upwards.
pub(super) fn places(host: &Host<'_>) -> Vec<Place> {
    let Some(memberships) = host.read("/proc/self/cgroup") else { return Vec::new() };
    let Some(mounts) = host.read("/proc/self/mountinfo") else { return Vec::new() };
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let memberships = memberships.lines().filter_map(Membership::parse);
    memberships.flat_map(|membership| places_of(&membership, &mounts, host)).collect()
}

/// The levels of one hierarchy, under the mount that shows most of them.
fn places_of(membership: &Membership<'_>, mounts: &[Mount], host: &Host<'_>) -> Vec<Place> {
    let is_unified = membership.controllers == Controllers::Unified;
    let mounts = mounts.iter().filter(|mount| mount.controllers == membership.controllers);
    let ways = mounts.map(|mount| {
        let mut way = way(mount, membership.path);
        way.retain(|(folder, _)| host.is_folder(folder));
        way
    });
    // Of two that show as many, the later one hides the earlier one if they are in the same place.
    let way = ways.max_by_key(Vec::len).unwrap_or_default();
    way.into_iter().map(|(folder, is_leaf)| Place { folder, is_unified, is_leaf }).collect()
}

/// The controllers of a hierarchy that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controllers {
    /// Version 2: all of them.
    Unified,
    /// Version 1.
    Legacy { cpu: bool, memory: bool },
}

impl Controllers {
    fn legacy(list: &str) -> Self {
        let has = |name| list.split(',').any(|controller| controller == name);
        Controllers::Legacy { cpu: has("cpu"), memory: has("memory") }
    }
}

/// A line of `/proc/self/cgroup`.
#[derive(Debug, PartialEq, Eq)]
struct Membership<'t> {
    controllers: Controllers,
    path: &'t str,
}

impl<'t> Membership<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let controllers = match (number, controllers) {
            ("0", "") => Controllers::Unified,
            (_, list) => Controllers::legacy(list),
        };
        let matters = controllers != Controllers::Legacy { cpu: false, memory: false };
        (matters && path.starts_with('/')).then_some(Membership { controllers, path })
    }
}

/// A line of `/proc/self/mountinfo` that mounts control groups.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    controllers: Controllers,
    /// The path in the hierarchy that is mounted.
    root: String,
    /// Where.
    point: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (place, system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (unescape(place.next()?), unescape(place.next()?));
        let mut system = system.split(' ');
        let controllers = match (system.next()?, system.nth(1)?) {
            ("cgroup2", _) => Controllers::Unified,
            ("cgroup", options) => Controllers::legacy(options),
            _ => return None,
        };
        Some(Mount { controllers, root, point })
    }
}

/// Undoes the kernel's `\040` for a space and its like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(|_| byte == b'\\') {
            Some(code) => {
                bytes.push(code);
                rest = &after[3..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folders of the levels of a process in `path` under `mount`, the lowest first, and whether it is the
/// process's own.
///
/// Both paths begin at the root of the process's namespace. A `..` leads above it, to a level whose name
/// the process cannot know.
fn way(mount: &Mount, path: &str) -> Vec<(String, bool)> {
    let (root, path) = (parts(&mount.root), parts(path));
    let shared = root.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let (above, below) = (&root[shared..], &path[shared..]);
    let point = mount.point.trim_end_matches('/');
    if !above.is_empty() {
        // The mount begins above the process. By levels without names, only its root is known to be one of
        // the process's; by others, it shows another part of the hierarchy.
        let is_above = above.iter().all(|part| *part == "..");
        return if is_above { vec![(point.to_owned(), false)] } else { Vec::new() };
    }
    if below.contains(&"..") {
        return Vec::new();
    }
    let folder = |depth: usize| {
        below[..depth].iter().fold(point.to_owned(), |folder, part| folder + "/" + part)
    };
    (0..=below.len()).rev().map(|depth| (folder(depth), depth == below.len())).collect()
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

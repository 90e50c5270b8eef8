//! Lists of processors, as the kernel writes them.

use std::collections::BTreeSet;

/// No kernel numbers its processors higher; a list that does is not one.
const MOST: u32 = 1 << 16;

/// Expands the kernel's list format, such as `0-3,8`; `None` for what is not a list and for an empty one.
pub(crate) fn cpu_list(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// Writes a list in the kernel's format.
pub(crate) fn cpu_text(cpus: &BTreeSet<u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &cpu in cpus {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_expand() {
        let list = |text| cpu_list(text).map(Vec::from_iter);
        assert_eq!(list("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(list("5"), Some(vec![5]));
        for garbage in ["", "0-x", "3-1", "0-4294967295", "-1", "0,,1"] {
            assert_eq!(list(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn lists_are_written_as_they_are_read() {
        for text in ["0-3,8", "5", "0,2,4-5"] {
            assert_eq!(cpu_list(text).map(|cpus| cpu_text(&cpus)).as_deref(), Some(text));
        }
    }
}

//! The machine class: hosts that share measured constants.

use std::sync::OnceLock;

use super::fact::Fact;
use super::host::Host;

/// The class of this machine, such as `x86_64-linux-amd-19h`: architecture, operating system and
/// family of the processor, but neither its number of cores nor the size of a container, which are
/// facts to read at run time.
pub fn class() -> &'static str {
    static CLASS: OnceLock<String> = OnceLock::new();
    CLASS.get_or_init(|| class_of(&Host::this()).value)
}

/// The class of a machine, and where the family of its processor is from.
pub(super) fn class_of(host: &Host<'_>) -> Fact<String> {
    const SOURCE: &str = "/proc/cpuinfo";
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    match host.read(SOURCE).and_then(|info| cpu_family(&info)) {
        Some(cpu) => Fact::new(format!("{arch}-{os}-{cpu}"), SOURCE),
        None => Fact::new(format!("{arch}-{os}"), "the target of the build"),
    }
}

/// Vendor and family from the text of `/proc/cpuinfo`; families are in hexadecimal, as vendors
/// write them. On Arm the implementer and part numbers of the first core take their place.
fn cpu_family(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    if let (Some(vendor), Some(family)) = (field("vendor_id"), field("cpu family")) {
        let vendor = match vendor {
            "AuthenticAMD" => "amd".to_owned(),
            "GenuineIntel" => "intel".to_owned(),
            other => plain(other),
        };
        let family: u32 = family.parse().ok()?;
        // Intel has kept family 6 for decades; there the model tells the microarchitecture.
        return match (family, field("model")) {
            (6, Some(model)) => Some(format!("{vendor}-6-{}", plain(model))),
            _ => Some(format!("{vendor}-{family:x}h")),
        };
    }
    let implementer = field("CPU implementer")?;
    let part = field("CPU part")?;
    Some(format!("{}-{}", plain(implementer), plain(part)))
}

/// Lower case, letters and digits only.
fn plain(text: &str) -> String {
    text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_families_and_parts_are_told_apart() {
        let amd = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n";
        assert_eq!(cpu_family(amd).as_deref(), Some("amd-19h"));
        let intel = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n";
        assert_eq!(cpu_family(intel).as_deref(), Some("intel-6-143"));
        let arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
        assert_eq!(cpu_family(arm).as_deref(), Some("0x41-0xd0c"));
        assert_eq!(cpu_family("garbage"), None);
    }

    #[test]
    fn the_class_starts_with_architecture_and_system() {
        let expected = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        assert!(class().starts_with(&expected), "{}", class());
    }
}

use super::*;
use crate::render::tests::two_sections;

fn text() -> String {
    two_sections().render("cargo amorsize tune")
}

/// The error for the text after `from` was replaced by `to`, everywhere.
fn error_after(from: &str, to: &str) -> String {
    let text = text();
    assert!(text.contains(from), "{from:?}");
    Profile::parse(&text.replace(from, to)).expect_err("a changed profile is refused").to_string()
}

#[test]
fn a_rendered_profile_reads_as_itself_and_renders_as_the_same_bytes() {
    let profile = Profile::parse(&text()).unwrap();
    assert_eq!(profile, two_sections());
    assert_eq!(profile.render("cargo amorsize tune"), text());
}

#[test]
fn unrounded_and_extreme_values_come_back_rounded() {
    let mut profile = two_sections();
    let section = profile.machines.values_mut().next().unwrap();
    section.facts.spawn_ns = 1_234.567_89;
    section.facts.wake_ns = f64::MAX;
    section.facts.claim_ns = 5e-324;
    section.facts.reference_ns = -0.0;
    let entry = section.loops.values_mut().next().unwrap();
    entry.facts.item_ns = 1.0 / 3.0;
    entry.plan.items = u64::MAX;
    entry.plan.workers = u32::MAX;
    entry.parallel_from = Some(u64::MAX);
    let text = profile.render("tune");
    let read = Profile::parse(&text).unwrap();
    assert_eq!(read, profile.rounded());
    assert_eq!(read.render("tune"), text);
}

#[test]
fn any_name_comes_back_as_it_was() {
    for name in [
        "",
        " ",
        ".",
        "a.b",
        "\"",
        "'",
        "\\",
        "\\u0041",
        "\n",
        "\r\n",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "# end of amorsize.toml\n",
        "]",
        "\u{feff}",
        "循环",
        "🦀",
        "<<<<<<<",
        "=======",
        "\n<<<<<<< HEAD\n",
    ] {
        let mut profile = two_sections();
        let section = profile.machines.pop_first().unwrap().1;
        let mut renamed = section.clone();
        let entry = renamed.loops.pop_first().unwrap().1;
        renamed.loops.insert(name.to_owned(), entry);
        renamed.untuned.insert(name.to_owned(), "0123456789abcdef".to_owned());
        profile.machines.insert(name.to_owned(), renamed);
        assert_eq!(Profile::parse(&profile.render("tune")).unwrap(), profile, "{name:?}");
    }
}

#[test]
fn another_layout_of_the_same_values_is_accepted() {
    let text = text()
        .replace(" = ", "=")
        .replace("spawn_ns=210.0", "\n  # a remark\nspawn_ns = 2.1e2")
        .replace("[machine", "  [ machine")
        .replace("\"x86_64-linux-amd-19h\"", "x86_64-linux-amd-19h")
        .replace("items=1480", "items=1_480");
    assert_eq!(Profile::parse(&text).unwrap(), two_sections());
}

#[test]
fn windows_line_ends_are_accepted() {
    let text = text().replace('\n', "\r\n");
    assert_eq!(Profile::parse(&text).unwrap(), two_sections());
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    for text in [text(), text().replace('\n', "\r\n")] {
        for length in (0..text.len()).filter(|&length| text.is_char_boundary(length)) {
            assert!(Profile::parse(&text[..length]).is_err(), "{}", &text[..length]);
        }
    }
}

#[test]
fn a_file_that_lost_a_line_is_refused_or_unharmed() {
    let text = text();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for lost in 0..lines.len() {
        let rest = [&lines[..lost], &lines[lost + 1..]].concat().concat();
        if let Ok(profile) = Profile::parse(&rest) {
            assert_eq!(profile, two_sections(), "without {:?}", lines[lost]);
            assert!(lines[lost] == "\n" || lost == 0, "{:?}", lines[lost]);
        }
    }
}

#[test]
fn a_deleted_or_doubled_byte_never_yields_another_profile() {
    let text = text().into_bytes();
    for at in 0..text.len() {
        let mut shorter = text.clone();
        shorter.remove(at);
        let mut longer = text.clone();
        longer.insert(at, text[at]);
        for changed in [shorter, longer] {
            assert_refused_or_equal(&changed);
        }
    }
}

#[test]
fn a_changed_byte_never_yields_another_profile() {
    let text = text().into_bytes();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut changed = text.clone();
            changed[at] ^= 1 << bit;
            assert_refused_or_equal(&changed);
        }
        for byte in *b"\n \"#-.0e" {
            let mut changed = text.clone();
            changed[at] = byte;
            assert_refused_or_equal(&changed);
        }
    }
}

fn assert_refused_or_equal(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(profile) = Profile::parse(text) {
            assert_eq!(profile, two_sections(), "{text}");
        }
    }
}

#[test]
fn a_digit_beyond_those_that_are_written_is_an_edit() {
    assert_eq!(
        error_after("15300.0", "15300.4"),
        "amorsize.toml:4: section \"aarch64-macos-apple\" does not match its checksum: it was \
         edited, cut short or badly merged"
    );
}

#[test]
fn a_damaged_section_is_named_with_its_line() {
    let text = text();
    let header = "[machine.\"x86_64-linux-amd-19h\"]";
    let line = text.lines().position(|line| line == header).unwrap() + 1;
    let error = Profile::parse(&text.replace("210.0", "211.0")).unwrap_err();
    assert_eq!(error.line(), Some(line));
    assert_eq!(
        error.to_string(),
        format!(
            "amorsize.toml:{line}: section \"x86_64-linux-amd-19h\" does not match its checksum: \
             it was edited, cut short or badly merged"
        )
    );
}

#[test]
fn a_section_under_another_name_is_refused() {
    error_after("x86_64-linux-amd-19h", "x86_64-linux-amd-1ah");
}

#[test]
fn sections_of_two_branches_merge_and_one_can_be_dropped() {
    let text = text();
    let start = text.find("[machine.\"x86_64").unwrap();
    let end = text.find("# end").unwrap();
    let without = format!("{}{}", &text[..start], &text[end..]);
    let profile = Profile::parse(&without).unwrap();
    assert_eq!(Vec::from_iter(profile.machines.keys()), ["aarch64-macos-apple"]);
    let swapped = without.replace("format = 1\n", &format!("format = 1\n\n{}", &text[start..end]));
    assert_eq!(Profile::parse(&swapped).unwrap(), two_sections());
}

#[test]
fn every_kind_of_damage_is_said_with_its_line() {
    for (from, to, expected) in [
        ("format = 1\n", "", "amorsize.toml: key `format` is missing"),
        (
            "format = 1\n",
            "format = \"1\"\n",
            "amorsize.toml:2: `format` is a string, not a whole number",
        ),
        ("format = 1\n", "format = 1\nauthor = 1\n", "amorsize.toml:3: unknown key \"author\""),
        (
            "spawn_ns = 180.5\n",
            "",
            "amorsize.toml:4: section \"aarch64-macos-apple\": key `spawn_ns` is missing",
        ),
        (
            "180.5",
            "180.5\nspare_ns = 1.0",
            "amorsize.toml:7: section \"aarch64-macos-apple\": unknown key \"spare_ns\"",
        ),
        (
            "180.5",
            "180",
            "amorsize.toml:6: section \"aarch64-macos-apple\": `spawn_ns` is a whole number, not a \
             number with a decimal point",
        ),
        (
            "180.5",
            "-180.5",
            "amorsize.toml:6: section \"aarch64-macos-apple\": `spawn_ns` is negative",
        ),
        (
            "180.5",
            "inf",
            "amorsize.toml:6: section \"aarch64-macos-apple\": `spawn_ns` is not a finite number",
        ),
        (
            "180.5",
            "1.0e999",
            "amorsize.toml:6: section \"aarch64-macos-apple\": `spawn_ns` is not a finite number",
        ),
        (
            "180.5",
            "nan",
            "amorsize.toml:6: section \"aarch64-macos-apple\": `spawn_ns` is not a finite number",
        ),
        (
            "workers = 2",
            "workers = 4294967296",
            "amorsize.toml:17: loop \"source_stats::count::tokens\": `plan`: `workers` is negative \
             or too large",
        ),
        (
            "item_growth = 1.5",
            "item_growth = 3.5",
            "amorsize.toml:19: loop \"source_stats::count::tokens\": `item_growth` is more than 3",
        ),
        (
            "cpu_share = 0.964",
            "cpu_share = 1.5",
            "amorsize.toml:27: loop \"source_stats::count::tokens\": `cpu_share` is more than 1",
        ),
        (
            "parallel_from = 12",
            "parallel_from = \"always\"",
            "amorsize.toml:16: loop \"source_stats::count::tokens\": `parallel_from` is a string, \
             not a whole number",
        ),
        (
            "89abcdef01234567",
            "89ABCDEF01234567",
            "amorsize.toml:15: loop \"source_stats::count::tokens\": `tokens` is not 16 lowercase \
             hexadecimal digits",
        ),
        (
            "= \"0123456789abcdef\"",
            "= 1",
            "amorsize.toml:70: `untuned`: `source_stats::group` is a whole number, not a string",
        ),
        (
            "0123456789abcdef",
            "0123456789abcde",
            "amorsize.toml:70: `untuned`: `source_stats::group` is not 16 lowercase hexadecimal \
             digits",
        ),
        ("180.5", "180.5\nuntuned = []", "amorsize.toml:7: `untuned` is an array, not a table"),
        (
            "[machine.\"aarch64-macos-apple\"]\n",
            "[machine]\nx = 1\n[machine.\"aarch64-macos-apple\"]\n",
            "amorsize.toml:5: section \"x\" is a whole number, not a table",
        ),
        (
            "[machine.\"aarch64-macos-apple\"]\n",
            "<<<<<<< HEAD\n[machine.\"aarch64-macos-apple\"]\n",
            "amorsize.toml:4: the file holds an unresolved merge conflict",
        ),
    ] {
        assert_eq!(error_after(from, to), expected);
    }
}

#[test]
fn text_that_is_no_toml_is_refused_with_line_and_message() {
    let error = Profile::parse("format = 1\nwhat is this\n# end of amorsize.toml\n").unwrap_err();
    assert_eq!(error.line(), Some(2));
    assert_eq!(error.to_string(), "amorsize.toml:2: key with no value, expected `=`");
}

#[test]
fn a_section_that_stands_twice_is_refused() {
    let text = text();
    let end = text.find("# end").unwrap();
    let start = text.find("[machine").unwrap();
    let doubled = format!("{}{}", &text[..end], &text[start..]);
    let error = Profile::parse(&doubled).unwrap_err().to_string();
    assert!(error.ends_with("duplicate key"), "{error}");
}

#[test]
fn a_newer_format_has_a_hint_of_its_own() {
    let newer = Profile::parse(&text().replace("format = 1", "format = 2")).unwrap_err();
    assert_eq!(
        newer.to_string(),
        format!(
            "amorsize.toml:2: unknown format 2: amorsize {} reads format 1",
            env!("CARGO_PKG_VERSION")
        )
    );
    let damaged = Profile::parse("").unwrap_err();
    assert_eq!(
        damaged.to_string(),
        "amorsize.toml:1: the file does not end with the line `# end of amorsize.toml`: it was \
         edited or cut short"
    );
    assert_ne!(newer.hint(), damaged.hint());
}

#[test]
fn a_missing_file_is_no_profile_and_an_unreadable_one_is_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing = Profile::load(&folder.join("no-such-file")).unwrap();
    assert_eq!(missing, None);
    let error = Profile::load(folder).unwrap_err();
    assert_eq!(error.path(), Some(folder));
    assert_eq!(error.line(), None);
    assert!(error.to_string().contains("failed to read"), "{error}");
}

#[test]
fn a_source_of_memory_that_nobody_knows_is_refused_with_its_line() {
    let mut profile = two_sections();
    let memory = Some(crate::TaskMemory { bytes: 5, source: MemorySource::PeakRss });
    let sections = profile.machines.values_mut();
    sections.flat_map(|section| section.loops.values_mut()).for_each(|entry| entry.memory = memory);
    let text = profile.render("tune");
    for (changed, says) in [
        (text.replace("\"peak-rss\"", "\"hearsay\""), "neither \"allocator\" nor \"peak-rss\""),
        (text.replace("task_bytes = 5", "task_bytes = -5"), "`task_bytes` is negative"),
        (text.replace("task_bytes = 5", "task_bytes = 6"), "checksum"),
        (text.replace("task_bytes = 5, ", ""), "`task_bytes` is missing"),
    ] {
        let error = Profile::parse(&changed).expect_err("a changed profile is refused").to_string();
        assert!(error.contains(says) && error.starts_with("amorsize.toml:"), "{error}");
    }
}

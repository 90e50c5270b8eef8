//! `cargo amorsize explain`: how a call of a loop is decided, with every term, because a number that
//! nobody explains is not trusted.

use std::fmt;

use amorsize_profile::{MachineFacts, MemorySource, Profile, TaskMemory, without_type};
use amorsize_runtime::model::MEMORY_PERMILLE;
use amorsize_runtime::survey::Fact;
use cargo_metadata::Package;

use crate::annotation::Options as Attribute;
use crate::cli::{Explain, MessageFormat};
use crate::error::{Error, Result, nearest};
use crate::explanation::{Call, Explanation, System};
use crate::fit::HOT;
use crate::list::section;
use crate::project::{Project, profile_path};
use crate::scan::Scan;
use crate::{again, document, profile, term};

pub(crate) fn explain(project: &Project, options: &Explain) -> Result<()> {
    let (package, name) = find(project, &options.name)?;
    let profile = profile::require(package)?;
    let found = section(&profile, options.machine.as_deref());
    let (class, section) = found.ok_or_else(|| no_section(package, &profile, options))?;
    // The options of the attribute bound the plan. Sources that cannot be scanned have their own
    // command to complain; here they only leave the options unknown.
    let scan = Scan::of(package).unwrap_or_default();
    let functions = scan.function_of(&name).unwrap_or_default();
    let edited = |tokens: &str| {
        let function = functions.first()?;
        let is_edited = functions.iter().all(|function| function.tokens != tokens);
        is_edited.then(|| Edited { place: function.place(), package: package.name.to_string() })
    };
    let format = options.output.message_format;
    if let Some(tokens) = section.untuned.get(&name) {
        show(None, &name, edited(tokens).as_ref(), format);
        return Ok(());
    }
    let Some(entry) = section.loops.get(&name) else {
        return Err(Error::NoSuchLoop {
            wanted: format!("{name}` measured on `{class}"),
            place: place_of(package),
            near: measured_on(&profile, &name).map(|class| with_machine(&name, class)),
        });
    };
    let attribute = functions.first().map(|function| function.options.clone()).unwrap_or_default();
    let call = Call {
        len: options.len.unwrap_or(entry.plan.items as usize),
        cost: options.cost.unwrap_or(entry.plan.cost),
        task_bytes: flag(options.memory, "--memory")
            .or_else(|| flag(attribute.memory_bytes, "the attribute"))
            .or_else(|| entry.memory.map(measured)),
        hot: options.hot.unwrap_or(HOT),
        options: &attribute,
    };
    let system = system(options, class, section.facts, &attribute);
    let explanation = Explanation::new(&name, &entry.facts, system, call);
    show(Some(&explanation), &name, edited(&entry.tokens).as_ref(), format);
    Ok(())
}

/// A function that is no longer what was measured.
pub(crate) struct Edited {
    place: String,
    package: String,
}

impl Edited {
    pub(crate) fn hint(&self) -> String {
        again::tune(&self.package)
    }
}

impl fmt::Display for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was edited after it was measured", self.place)
    }
}

/// Shows the explanation of a loop, or that there is none.
fn show(
    explanation: Option<&Explanation<'_>>,
    name: &str,
    edited: Option<&Edited>,
    format: MessageFormat,
) {
    if format == MessageFormat::Json {
        term::result(&document::explain(name, explanation, edited));
        return;
    }
    if let Some(edited) = edited {
        term::warning(&edited.to_string());
        term::note(&edited.hint());
    }
    let Some(explanation) = explanation else {
        term::result(&term::heading(name));
        term::result(
            "no plan: a join learns what a unit of work takes while the program runs; what",
        );
        term::result("cannot be indexed cannot be cut into planned chunks, so that rayon runs it");
        return;
    };
    for line in explanation.lines(term::columns()) {
        term::result(&line);
    }
}

/// The machine that is meant: this one, except where flags say otherwise.
fn system(options: &Explain, class: &str, costs: MachineFacts, attribute: &Attribute) -> System {
    let survey = amorsize_runtime::machine_survey();
    let cores = flag(options.cores.map(|cores| cores as usize), "--cores");
    let asked = flag(options.workers.map(|workers| workers as usize), "--workers");
    let (here, memory) = (survey.cores, survey.memory);
    let class_source = if options.machine.is_some() {
        "--machine".to_owned()
    } else if class == survey.class.value {
        "this machine".to_owned()
    } else {
        format!("not this machine, which is {}", survey.class.value)
    };
    let pool_threads = match (&cores, here.rayon_threads) {
        // Threads for items that wait are no cores: a pool of another machine is not known.
        _ if attribute.io => Fact {
            value: amorsize_runtime::io_limits(None).workers,
            source: "here: for the option `io`".to_owned(),
        },
        (Some(cores), _) => cores.clone(),
        (None, Some(threads)) => on_this(threads),
        (None, None) => Fact {
            value: std::thread::available_parallelism().map_or(1, usize::from),
            source: "here: rayon's default".to_owned(),
        },
    };
    let permille = flag(options.memory_fraction, "--memory-fraction")
        .or_else(|| flag(attribute.memory_permille, "the attribute"));
    // How busy this machine is says nothing of another one.
    let load = |load: Option<Fact<f64>>| load.filter(|_| cores.is_none()).map(on_this);
    System {
        class: Fact { value: class.to_owned(), source: class_source },
        costs,
        pool_threads,
        cpu_load: load(survey.cpu_load),
        memory_load: load(survey.memory_load),
        // The variable says nothing of another machine.
        most_workers: asked.or_else(|| here.max_workers.filter(|_| cores.is_none())),
        processors: cores.clone().unwrap_or_else(|| on_this(here.usable_processors)),
        cores: cores.unwrap_or_else(|| on_this(here.usable)),
        available_bytes: flag(options.available_memory, "--available-memory")
            .or_else(|| memory.available_bytes.map(on_this)),
        memory_permille: permille
            .unwrap_or_else(|| Fact { value: MEMORY_PERMILLE, source: "by default".to_owned() }),
    }
}

/// A fact that was read here, which the machine that is meant need not be.
fn on_this<T>(fact: Fact<T>) -> Fact<T> {
    Fact { source: format!("here: {}", fact.source), ..fact }
}

/// Memory as the profile knows it.
fn measured(TaskMemory { bytes, source }: TaskMemory) -> Fact<u64> {
    let by = match source {
        MemorySource::Allocator => "allocator",
        MemorySource::PeakRss => "peak RSS",
    };
    Fact { value: bytes, source: format!("measured by {by}") }
}

/// What a flag says, if it was given.
fn flag<T>(value: Option<T>, name: &str) -> Option<Fact<T>> {
    value.map(|value| Fact { value, source: name.to_owned() })
}

fn no_section(package: &Package, profile: &Profile, options: &Explain) -> Error {
    match &options.machine {
        Some(class) => Error::NoSuchLoop {
            wanted: format!("{}` measured on `{class}", options.name),
            place: place_of(package),
            near: nearest(class, profile.machines.keys().map(String::as_str))
                .or_else(|| profile.machines.keys().next().map(String::as_str))
                .map(|class| with_machine(&options.name, class)),
        },
        None => Error::NoProfile { path: profile_path(package), package: package.name.to_string() },
    }
}

/// The first machine class on which a loop was measured.
fn measured_on<'a>(profile: &'a Profile, name: &str) -> Option<&'a str> {
    let mut sections = profile.machines.iter();
    let found = sections.find(|(_, section)| {
        section.loops.contains_key(name) || section.untuned.contains_key(name)
    });
    found.map(|(class, _)| class.as_str())
}

/// The arguments that explain a loop as it was measured on a class.
fn with_machine(name: &str, class: &str) -> Vec<String> {
    vec![name.to_owned(), "--machine".to_owned(), class.to_owned()]
}

fn place_of(package: &Package) -> String {
    profile_path(package).display().to_string()
}

/// Finds the one loop whose name is `wanted` or ends in it, over all packages that are meant.
fn find<'a>(project: &'a Project, wanted: &str) -> Result<(&'a Package, String)> {
    let mut known: Vec<(&Package, String)> = Vec::new();
    let mut places = Vec::new();
    let mut without = None;
    for package in project.packages() {
        match profile::load(package)? {
            Some(profile) => {
                places.push(place_of(package));
                let sections = profile.machines.values();
                for name in sections.flat_map(|s| s.loops.keys().chain(s.untuned.keys())) {
                    if !known.iter().any(|(_, other)| other == name) {
                        known.push((package, name.clone()));
                    }
                }
            }
            None => {
                without.get_or_insert(package);
            }
        }
    }
    let names: Vec<&str> = known.iter().map(|(_, name)| name.as_str()).collect();
    let candidates = matching(wanted, &names);
    match candidates[..] {
        [name] => Ok(known
            .iter()
            .find(|(_, known)| known == name)
            .cloned()
            .unwrap_or_else(|| unreachable!("candidates are among the known names"))),
        [] => match (known.is_empty(), without, project.packages().next()) {
            (true, Some(package), _) => Err(Error::NoProfile {
                path: profile_path(package),
                package: package.name.to_string(),
            }),
            (true, None, Some(package)) => Err(Error::NothingMeasured {
                path: profile_path(package),
                package: package.name.to_string(),
            }),
            _ => Err(Error::NoSuchLoop {
                wanted: wanted.to_owned(),
                place: places.join(", "),
                near: near(wanted, &names).map(|name| vec![name]),
            }),
        },
        _ => Err(Error::AmbiguousLoop {
            wanted: wanted.to_owned(),
            candidates: candidates.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// The names that `wanted` means: exactly that one, or all that end in it at a `::`, be it with or without
/// the type of the items.
fn matching<'a>(wanted: &str, names: &[&'a str]) -> Vec<&'a str> {
    if let Some(exact) = names.iter().find(|name| **name == wanted) {
        return vec![exact];
    }
    let end = format!("::{wanted}");
    let means = |name: &str| name == wanted || name.ends_with(&end);
    names.iter().copied().filter(|name| means(name) || means(without_type(name))).collect()
}

/// The name that was probably meant; the last segments are compared too, as users type those.
fn near(wanted: &str, names: &[&str]) -> Option<String> {
    let last = |name: &str| {
        let start = without_type(name).rfind("::").map_or(0, |at| at + 2);
        name[start..].to_owned()
    };
    let whole = nearest(wanted, names.iter().copied()).map(str::to_owned);
    let ends: Vec<String> = names.iter().map(|name| last(name)).collect();
    let by_end = nearest(&last(wanted), ends.iter().map(String::as_str));
    let by_end = by_end.and_then(|end| names.iter().find(|name| last(name) == end));
    by_end.map(ToString::to_string).or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_a_name_is_enough_when_it_fits_one_loop() {
        let names = ["a::f", "a::f#2", "b::f", "b::g"];
        assert_eq!(matching("a::f", &names), ["a::f"]);
        assert_eq!(matching("g", &names), ["b::g"]);
        assert_eq!(matching("f", &names), ["a::f", "b::f"]);
        assert_eq!(matching("f#2", &names), ["a::f#2"]);
        let names = ["a::f<&u8>", "a::f<b::C>", "a::f#2"];
        assert_eq!(matching("f", &names), ["a::f<&u8>", "a::f<b::C>"]);
        assert_eq!(matching("f<&u8>", &names), ["a::f<&u8>"]);
        assert!(matching("oof", &names).is_empty());
    }

    #[test]
    fn a_typo_is_met_with_the_loop_that_was_meant() {
        let names = ["stats::words::count_words", "stats::lines::count"];
        assert_eq!(near("cont_words", &names).as_deref(), Some("stats::words::count_words"));
        assert_eq!(near("zzz", &names), None);
    }
}

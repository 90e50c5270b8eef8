use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::*;
use crate::render::tests::two_sections;
use crate::{FILE_NAME, Section};

/// A fresh folder, removed at the end of its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("amorsize-profile-test-{}-{count}", process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    fn profile(&self) -> PathBuf {
        self.0.join(FILE_NAME)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Ok(profile) = resolve(&self.profile()) {
            let hash = checksum(&profile.to_string_lossy());
            let _ = fs::remove_file(env::temp_dir().join(format!("amorsize-{hash}.lock")));
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn section() -> Section {
    two_sections().machines.pop_first().unwrap().1
}

fn add(path: &Path, machine: &str) -> Result<bool, WriteError> {
    update(path, "cargo amorsize tune", |profile| {
        profile.machines.insert(machine.to_owned(), section());
    })
}

#[test]
fn the_first_update_creates_the_file_even_for_an_empty_profile() {
    let folder = Folder::new();
    let path = folder.profile();
    assert!(update(&path, "cargo amorsize init", |_| {}).unwrap());
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        Profile::default().render("cargo amorsize init")
    );
    assert_eq!(folder.files(), [FILE_NAME]);
}

#[test]
fn an_update_without_a_change_leaves_every_byte() {
    let folder = Folder::new();
    let path = folder.profile();
    add(&path, "a").unwrap();
    let reformatted = fs::read_to_string(&path).unwrap().replace(" = ", "  =  ");
    fs::write(&path, &reformatted).unwrap();
    let below_a_digit = |profile: &mut Profile| {
        profile.machines.get_mut("a").unwrap().facts.spawn_ns += 1e-6;
    };
    assert!(!update(&path, "another command", below_a_digit).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), reformatted);
}

#[test]
fn an_update_keeps_what_others_wrote() {
    let folder = Folder::new();
    let path = folder.profile();
    assert!(add(&path, "a").unwrap());
    assert!(add(&path, "b").unwrap());
    assert!(!add(&path, "b").unwrap());
    let profile = Profile::load(&path).unwrap().unwrap();
    assert_eq!(Vec::from_iter(profile.machines.keys()), ["a", "b"]);
}

#[test]
fn a_damaged_file_is_an_error_and_stays_as_it_is() {
    let folder = Folder::new();
    let path = folder.profile();
    add(&path, "a").unwrap();
    let mut text = fs::read_to_string(&path).unwrap();
    text.truncate(text.len() / 2);
    fs::write(&path, &text).unwrap();
    let error = add(&path, "b").unwrap_err();
    assert!(matches!(error, WriteError::Read(_)), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_profile_that_could_not_be_read_back_is_not_written() {
    let folder = Folder::new();
    let path = folder.profile();
    for spawn_ns in [f64::NAN, f64::INFINITY, -1.0] {
        let error = update(&path, "tune", |profile| {
            let mut section = section();
            section.facts.spawn_ns = spawn_ns;
            profile.machines.insert("a".to_owned(), section);
        })
        .unwrap_err();
        assert!(matches!(error, WriteError::Invalid(_)), "{error}");
    }
    assert!(folder.files().is_empty());
}

#[test]
fn a_failed_rename_removes_the_temporary_file() {
    let folder = Folder::new();
    let target = folder.0.join("a-folder-that-is-not-empty");
    fs::create_dir_all(target.join("inside")).unwrap();
    replace(&target, "text").unwrap_err();
    assert_eq!(folder.files(), ["a-folder-that-is-not-empty"]);
}

#[test]
fn a_leftover_of_a_killed_process_does_not_stop_an_update() {
    let folder = Folder::new();
    let leftover = format!(".{FILE_NAME}.{}.0.tmp", process::id());
    fs::write(folder.0.join(&leftover), "half a fi").unwrap();
    add(&folder.profile(), "a").unwrap();
    assert_eq!(folder.files(), [leftover.as_str(), FILE_NAME]);
}

#[test]
fn a_missing_folder_is_named_in_error_and_hint() {
    let folder = Folder::new();
    let path = folder.0.join("missing").join(FILE_NAME);
    let error = add(&path, "a").unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let missing = folder.0.join("missing");
    assert!(error.hint().contains(missing.to_str().unwrap()));
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_permissions_of_the_old_file_are_kept() {
        let folder = Folder::new();
        let path = folder.profile();
        add(&path, "a").unwrap();
        for mode in [0o600, 0o444, 0o664] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(add(&path, &format!("mode {mode}")).unwrap());
            let now = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(now & 0o777, mode);
        }
    }

    #[test]
    fn a_read_only_folder_is_named_in_error_and_hint() {
        let folder = Folder::new();
        let path = folder.profile();
        fs::set_permissions(&folder.0, Permissions::from_mode(0o555)).unwrap();
        // The superuser may write everywhere, and then there is nothing to test.
        if File::create(folder.0.join("probe")).is_err() {
            let error = add(&path, "a").unwrap_err();
            assert!(matches!(error, WriteError::Write { .. }), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert!(error.hint().contains("writable"));
        }
        fs::set_permissions(&folder.0, Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = Folder::new();
        let real = folder.0.join("real.toml");
        add(&real, "a").unwrap();
        symlink("real.toml", folder.profile()).unwrap();
        assert!(add(&folder.profile(), "b").unwrap());
        assert!(fs::symlink_metadata(folder.profile()).unwrap().is_symlink());
        let profile = Profile::load(&real).unwrap().unwrap();
        assert_eq!(Vec::from_iter(profile.machines.keys()), ["a", "b"]);
    }
}

#[test]
fn updates_by_several_threads_all_land() {
    let folder = Folder::new();
    let path = folder.profile();
    thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for round in 0..10 {
                    assert!(add(path, &format!("{thread}-{round}")).unwrap());
                }
            });
        }
    });
    assert_eq!(Profile::load(&path).unwrap().unwrap().machines.len(), 40);
    assert_eq!(folder.files(), [FILE_NAME]);
}

/// Names the file for [`in_a_child_process`].
const CHILD_PATH: &str = "AMORSIZE_PROFILE_TEST_PATH";
/// How many updates it makes.
const CHILD_ROUNDS: &str = "AMORSIZE_PROFILE_TEST_ROUNDS";

fn spawn_child(path: &Path, rounds: u32) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "write::tests::in_a_child_process", "--ignored"])
        .env(CHILD_PATH, path)
        .env(CHILD_ROUNDS, rounds.to_string())
        .stdout(process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test of its own: what [`spawn_child`] runs in another process.
#[test]
#[ignore = "run by other tests, in a process of its own"]
fn in_a_child_process() {
    let (Some(path), Ok(rounds)) = (env::var_os(CHILD_PATH), env::var(CHILD_ROUNDS)) else {
        return;
    };
    let rounds: u32 = rounds.parse().unwrap();
    for round in 0..rounds {
        add(Path::new(&path), &format!("{}-{round}", process::id())).unwrap();
    }
}

#[test]
fn updates_by_several_processes_all_land() {
    let folder = Folder::new();
    let path = folder.profile();
    let children: Vec<Child> = (0..3).map(|_| spawn_child(&path, 10)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(Profile::load(&path).unwrap().unwrap().machines.len(), 30);
}

#[test]
fn a_killed_process_leaves_a_whole_file_and_no_lock() {
    let folder = Folder::new();
    let path = folder.profile();
    for round in 0..5 {
        let mut child = spawn_child(&path, u32::MAX);
        // Once its first update has landed it is busy with the next ones.
        let prefix = format!("{}-", child.id());
        loop {
            let profile = Profile::load(&path).unwrap().unwrap_or_default();
            if profile.machines.keys().any(|name| name.starts_with(&prefix)) {
                break;
            }
            assert_eq!(child.try_wait().unwrap(), None, "the child ended early");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(add(&path, &format!("after the kill {round}")).unwrap());
    }
}

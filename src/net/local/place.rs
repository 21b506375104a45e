//! Whether a folder may be used.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, open as open_file, statat};
use rustix::process::geteuid;

use super::{LocalError, LocalSettings};

/// Opens the folder at `path`, if a mirror may use it. It is opened first, and the kernel then asked where it lies:
/// so links have been followed, none can be exchanged afterwards, and what was looked at is what is served.
pub(super) fn open(settings: &LocalSettings, path: &str) -> Result<OwnedFd, LocalError> {
    let path = || path.to_owned();
    let elsewhere = || LocalError::Elsewhere { path: path() };
    let failed = |reason: String| LocalError::Failed { path: path(), reason };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open_file(path(), flags, Mode::empty()).map_err(|_| elsewhere())?;
    let place = fs::read_link(seen_at(&folder)).map_err(|error| failed(error.to_string()))?;
    if !settings.roots.iter().any(|root| holds(root, &place)) {
        return Err(elsewhere());
    }
    if settings.own.as_deref().is_some_and(|own| holds(own, &place)) {
        return Err(LocalError::Own { path: path() });
    }
    let (owner, user) = (fstat(&folder).map_err(|error| failed(error.to_string()))?.st_uid, geteuid().as_raw());
    if owner != user {
        return Err(LocalError::OtherUser { path: path(), owner, user });
    }
    // git would go on to another folder of its choice.
    let has = |name: &str| statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    if has(".git") || !has("HEAD") { Err(LocalError::NotBare { path: path() }) } else { Ok(folder) }
}

/// Under which name this process reaches an open folder, whatever becomes of its own.
fn seen_at(folder: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", folder.as_raw_fd()).into()
}

/// Whether `place` is `root` or in it. A root is a folder that may be reached by links.
fn holds(root: &Path, place: &Path) -> bool {
    fs::canonicalize(root).is_ok_and(|root| place.starts_with(root))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn bare(path: &Path) -> String {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("HEAD"), "").unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn only_what_really_lies_in_a_root_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (inside, outside, own) = (bare(&at("root/a.git")), bare(&at("else/b.git")), bare(&at("root/own/c.git")));
        let neighbour = bare(&at("root-2/d.git"));
        symlink(at("else"), at("root/out")).unwrap();
        symlink(at("root"), at("in")).unwrap();
        symlink(at("root/own"), at("root/tricky")).unwrap();
        let settings = LocalSettings { roots: vec![at("in"), at("gone")], own: Some(at("root/own")), server: None };
        let opened = |path: &str| open(&settings, path).map(|_| ()).map_err(|error| error.to_string());
        let elsewhere = |path: &str| Err(LocalError::Elsewhere { path: path.to_owned() }.to_string());
        let [linked, through_link, hidden, climbing, missing, file] = [
            "in/a.git",
            "root/out/b.git",
            "root/tricky/c.git",
            "root/../else/b.git",
            "root/none.git",
            "root/a.git/HEAD",
        ]
        .map(|name| at(name).to_str().unwrap().to_owned());
        assert_eq!(opened(&inside), Ok(()));
        assert_eq!(opened(&linked), Ok(()));
        for path in [&outside, &neighbour, &through_link, &climbing, &missing, &file, &"/proc/self/cwd".to_owned()] {
            assert_eq!(opened(path), elsewhere(path), "{path}");
        }
        for path in [own, hidden] {
            assert_eq!(opened(&path), Err(LocalError::Own { path }.to_string()));
        }
    }

    #[test]
    fn what_was_opened_stays_the_same_folder_when_its_name_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let inside = bare(&at("root/a.git"));
        bare(&at("else/a.git"));
        let settings = LocalSettings { roots: vec![at("root")], ..LocalSettings::default() };
        let opened = open(&settings, &inside).unwrap();
        fs::rename(&inside, at("root/b.git")).unwrap();
        symlink(at("else/a.git"), &inside).unwrap();
        assert_eq!(fs::read_link(seen_at(&opened)).unwrap(), fs::canonicalize(at("root/b.git")).unwrap());
        assert!(matches!(open(&settings, &inside), Err(LocalError::Elsewhere { .. })));
    }

    #[test]
    fn what_belongs_to_another_user_is_not_served() {
        use rustix::fs::{Gid, Uid, chown};
        let folder = tempfile::tempdir().unwrap();
        let theirs = if geteuid().is_root() {
            chown(folder.path(), Some(Uid::from_raw(65534)), None::<Gid>).unwrap();
            folder.path()
        } else {
            Path::new("/usr")
        };
        let settings = LocalSettings { roots: vec![theirs.to_owned()], ..LocalSettings::default() };
        assert!(matches!(open(&settings, theirs.to_str().unwrap()), Err(LocalError::OtherUser { .. })));
    }

    #[test]
    fn a_folder_that_is_no_bare_repository_is_not_served() {
        let folder = tempfile::tempdir().unwrap();
        let settings = LocalSettings { roots: vec![folder.path().to_owned()], ..LocalSettings::default() };
        let work = bare(&folder.path().join("work"));
        fs::write(folder.path().join("work/.git"), "gitdir: /etc").unwrap();
        for path in [folder.path().to_str().unwrap(), &work] {
            assert!(matches!(open(&settings, path), Err(LocalError::NotBare { .. })), "{path}");
        }
    }
}

//! What this build is, for `--version` and `GET /v0/version`: `BUILD_COMMIT` and `BUILD_DATE`.
//!
//! Both are taken from the environment, where there is no checkout (a container's build). Otherwise release builds ask
//! git, and take the date of the commit, so that two builds of one commit are the same; `SOURCE_DATE_EPOCH` counts
//! more. Debug builds ask nobody: they would be made anew for every commit, with all that is linked with them.

use std::path::Path;
use std::process::Command;

const UNKNOWN: &str = "unknown";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["BUILD_COMMIT", "BUILD_DATE", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let is_release = variable("PROFILE").as_deref() == Some("release");
    let (commit, committed) = Some(()).filter(|()| is_release && is_checkout()).map_or((None, None), |()| {
        watch_commits();
        (git(&["rev-parse", "HEAD"]), git(&["show", "--no-patch", "--no-show-signature", "--format=%ct", "HEAD"]))
    });
    let commit = variable("BUILD_COMMIT").or(commit).unwrap_or_else(|| UNKNOWN.to_owned());
    let parsed = |seconds: String| seconds.parse().ok();
    let seconds = variable("SOURCE_DATE_EPOCH").and_then(parsed).or(committed.and_then(parsed));
    let date = variable("BUILD_DATE").or(seconds.map(instant)).unwrap_or_else(|| UNKNOWN.to_owned());
    let version = variable("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=BUILD_DATE={date}");
    println!("cargo::rustc-env=BUILD_TEXT={version} (commit {}, {date})", commit.get(..12).unwrap_or(&commit));
}

/// An environment variable that says something in one line.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.into_string().ok()?;
    let value = value.trim();
    (!value.is_empty() && value != UNKNOWN && !value.contains(['\n', '\r'])).then(|| value.to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether this directory is what was checked out: sources that lie inside of another checkout are not of its commit.
fn is_checkout() -> bool {
    let top = git(&["rev-parse", "--show-toplevel"]).and_then(|top| Path::new(&top).canonicalize().ok());
    let here = Path::new(".").canonicalize().ok();
    top.is_some() && top == here
}

/// Has cargo come back when another commit is checked out, or made: not every repository has a log, and a branch is in a
/// file of its own or packed with others. A file that is not there would bring cargo back every time.
fn watch_commits() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// Seconds since 1970 as RFC 3339, in UTC.
fn instant(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400 years that begin on 1 March 0000.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

//! What it all ran on.

use std::fs;
use std::process::Command;

use crate::nginx;

/// Cores, CPU, memory, kernel, and the versions of what took part.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name");
    let memory: u64 = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let versions = [
        said("rustc", "--version"),
        said(nginx::program(), "-v").replace("nginx version: ", ""),
        said("wrk", "-v").split(" [").next().unwrap_or_default().to_owned(),
        said("h2load", "--version"),
    ];
    format!(
        "{cores} cores ({model}), {} GiB, Linux {}; {}; client and server on the same cores, over loopback",
        memory >> 20,
        kernel.trim(),
        versions.join(", ")
    )
}

/// The value of the first line of that name.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    line.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

/// The first line that a program prints, wherever.
fn said(program: &str, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else { return format!("no {program}") };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

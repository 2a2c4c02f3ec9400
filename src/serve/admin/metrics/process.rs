//! What the process takes, under the names that every client of Prometheus uses.

use super::sheet::Sheet;

/// Adds what the system counts of this process, where it can be read.
#[cfg(target_os = "linux")]
pub(super) fn add(sheet: &mut Sheet) {
    use super::figures::{CPU, MAX_FILES, OPEN_FILES, RESIDENT, THREADS, VIRTUAL};
    use procfs::WithCurrentSystemInfo as _;
    use procfs::process::{LimitValue, Process};

    let Ok(process) = Process::myself() else { return };
    if let Ok(open) = process.fd_count() {
        sheet.gauge(OPEN_FILES, &[], open);
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        sheet.gauge(MAX_FILES, &[], most);
    }
    let Ok(stat) = process.stat() else { return };
    let ticks = |ticks: u64| seconds(ticks, procfs::ticks_per_second());
    sheet.count_of(CPU, &[], ticks(stat.utime + stat.stime));
    sheet.gauge(RESIDENT, &[], stat.rss_bytes().get());
    sheet.gauge(VIRTUAL, &[], stat.vsize);
    sheet.gauge(THREADS, &[], stat.num_threads);
}

/// Elsewhere there is nothing to read.
#[cfg(not(target_os = "linux"))]
pub(super) fn add(_: &mut Sheet) {}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "after millions of years, parts of a second are lost")]
fn seconds(ticks: u64, a_second: u64) -> f64 {
    ticks as f64 / a_second as f64
}

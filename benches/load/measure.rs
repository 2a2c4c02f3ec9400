//! What processes and the machine have used, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use crate::Outcome;

/// Ticks of `/proc` in a second: `USER_HZ`, which is 100 on every architecture that the proxy runs on.
const TICKS: f64 = 100.0;

/// What is measured counts if others used less of the machine meanwhile, in cores.
pub(crate) const CLEAN: f64 = 0.10;

/// What one process says of itself.
struct Stat {
    parent: u32,
    /// User and system, its own and that of children that it has waited for.
    ticks: u64,
}

fn stat(id: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // A name may hold anything, also spaces and brackets.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

fn all() -> Outcome<BTreeMap<u32, Stat>> {
    let ids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(ids.filter_map(|id| Some((id, stat(id)?))).collect())
}

fn family(all: &BTreeMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut family = vec![root];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
        next += 1;
    }
    family
}

/// A process and all that come from it.
pub(crate) fn tree(root: u32) -> Outcome<Vec<u32>> {
    Ok(family(&all()?, root))
}

/// The CPU that a process and its children have used, in seconds.
pub(crate) fn cpu(root: u32) -> Outcome<f64> {
    let all = all()?;
    let ticks: u64 = family(&all, root).iter().filter_map(|id| all.get(id)).map(|stat| stat.ticks).sum();
    Ok(seconds(ticks))
}

#[expect(clippy::cast_precision_loss, reason = "less than 2^53 ticks")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS
}

/// The resident memory of a process, in bytes.
pub(crate) fn memory(id: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the process has ended")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// The CPU that everybody has used, in seconds, with what the hypervisor gave to others meanwhile.
fn busy() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().ok_or("/proc/stat is empty")?;
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; the guests' are in user's.
    Ok(seconds([0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum()))
}

/// From its beginning on, how much CPU others use.
#[derive(Debug)]
pub(crate) struct Window {
    began: Instant,
    busy: f64,
    own: f64,
}

impl Window {
    pub(crate) fn begin() -> Outcome<Self> {
        Ok(Self { began: Instant::now(), busy: busy()?, own: cpu(std::process::id())? })
    }

    /// Whether others used so little that what was measured meanwhile counts.
    pub(crate) fn is_clean(&self) -> Outcome<bool> {
        Ok(self.foreign()? <= CLEAN)
    }

    /// In cores, on average.
    pub(crate) fn foreign(&self) -> Outcome<f64> {
        let others = (busy()? - self.busy) - (cpu(std::process::id())? - self.own);
        Ok((others / self.began.elapsed().as_secs_f64()).max(0.0))
    }
}

/// What was measured, and whether others left the machine alone meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Sighting<T> {
    pub(crate) of: T,
    pub(crate) is_clean: bool,
}

/// Measures until it counts, but so often at most; then what others disturbed least.
pub(crate) fn cleanly<T>(attempts: usize, mut measure: impl FnMut() -> Outcome<T>) -> Outcome<Sighting<T>> {
    let mut best: Option<(f64, T)> = None;
    for _ in 0..attempts.max(1) {
        let window = Window::begin()?;
        let measured = measure()?;
        let foreign = window.foreign()?;
        if best.as_ref().is_none_or(|(least, _)| foreign < *least) {
            best = Some((foreign, measured));
        }
        if best.as_ref().is_some_and(|(least, _)| *least <= CLEAN) {
            break;
        }
    }
    let (foreign, of) = best.ok_or("nothing was measured")?;
    Ok(Sighting { of, is_clean: foreign <= CLEAN })
}

//! The result as a Markdown table, each figure with its aim and a verdict.

use std::time::Duration;

use super::Row;
use super::case::Swap;
use super::child::Cost;
use super::plan::Plans;

const HEADER: &str = "| what | CPU s | wall s | peak MiB | blocks | compared | aim | verdict |\n\
    |---|---:|---:|---:|---:|---|---|---|\n";

/// Processor seconds of a cold build per 128 MB of layers, unpacked.
const COLD: f64 = 1.2;
pub(super) const WARM: f64 = 0.05;
const LINE: f64 = 0.5;
const BLOCKS: u64 = 10;
pub(super) const PEAK: u64 = 256 << 20;
const PLAN: Duration = Duration::from_millis(60);

/// All figures. Peak memory is of the row's own runs; `floor` is what the
/// smallest program shows, since a child begins with our memory.
pub(super) fn render(rows: &[Row], plans: Option<&Plans>, floor: u64) -> String {
    let mut text = HEADER.to_owned();
    for row in rows {
        text += &case(row);
    }
    match plans {
        Some(plans) => text += &planned(plans),
        None => text += "| terraform plan | not measured: no terraform on PATH |||||||\n",
    }
    text += &format!(
        "\nPeak memory below {} MiB cannot be told apart from that of the measuring program.\n",
        mib(floor)
    );
    text
}

fn case(row: &Row) -> String {
    let (name, measured) = (row.case.name, &row.measured);
    let megabytes = row.bytes as f64 / 1e6;
    let aim = COLD * megabytes / 128.0;
    let mut text = line(
        &format!("**{name}**: cold, {megabytes:.0} MB of layers"),
        &measured.cold,
        &measured.used.to_string(),
        &ratio(&measured.cold, &row.peer, "`gzip -dc \\| zstd -3`"),
        &format!("≤ {aim:.2} CPU s, ≤ 256 MiB"),
        cpu(&measured.cold) <= aim && measured.cold.peak <= PEAK,
    );
    text += &line(
        "warm, unchanged",
        &measured.warm,
        "0",
        &ratio(&measured.warm, &measured.copy, "`cp --sparse=always`"),
        &format!("≤ {WARM} CPU s"),
        cpu(&measured.warm) <= WARM && measured.warm.peak <= PEAK,
    );
    text += &line(
        "a line of `files:`",
        &measured.line,
        &measured.line_blocks.to_string(),
        "",
        &format!("≤ {LINE} CPU s, ≤ {BLOCKS} blocks"),
        cpu(&measured.line) <= LINE && measured.line_blocks <= BLOCKS && measured.line.peak <= PEAK,
    );
    text += &swap("a service's newer version", &measured.newer);
    text += &swap("another service instead", &measured.other);
    text
}

fn swap(what: &str, swap: &Swap) -> String {
    let most = swap.own + BLOCKS;
    line(
        what,
        &swap.cost,
        &swap.blocks.to_string(),
        &format!("its own segments: {} blocks", swap.own),
        &format!("≤ {most} blocks"),
        swap.blocks <= most && swap.cost.peak <= PEAK,
    )
}

fn planned(plans: &Plans) -> String {
    let over = plans.over_idle();
    line(
        "`terraform plan`, unchanged",
        &plans.unchanged,
        "",
        &format!(
            "{:.2} CPU s with nothing to do: {} ms over it",
            cpu(&plans.idle),
            over.as_millis()
        ),
        &format!("≤ {} ms CPU over it", PLAN.as_millis()),
        over <= PLAN,
    )
}

fn line(what: &str, cost: &Cost, blocks: &str, compared: &str, aim: &str, met: bool) -> String {
    let verdict = if met { "met" } else { "**missed**" };
    format!(
        "| {what} | {:.3} | {:.3} | {} | {blocks} | {compared} | {aim} | {verdict} |\n",
        cpu(cost),
        cost.wall.as_secs_f64(),
        mib(cost.peak),
    )
}

pub(super) fn cpu(cost: &Cost) -> f64 {
    cost.cpu.as_secs_f64()
}

pub(super) fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// Processor time as a multiple of another program's.
pub(super) fn ratio(ours: &Cost, other: &Cost, name: &str) -> String {
    // A program too fast to be measured is no measure.
    let other = cpu(other).max(0.001);
    format!("{:.2} × {name} ({other:.3} CPU s)", cpu(ours) / other)
}

#[cfg(test)]
mod tests {
    use super::super::case::{Case, Measured, Swap};
    use super::*;

    fn cost(millis: u64, mib: u64) -> Cost {
        Cost {
            cpu: Duration::from_millis(millis),
            wall: Duration::from_millis(millis),
            peak: mib << 20,
        }
    }

    fn row(cold: Cost, line_blocks: u64, blocks: u64) -> Row {
        let swap = Swap {
            cost: cost(900, 20),
            blocks,
            own: 7,
        };
        Row {
            case: Case {
                name: "it",
                yaml: String::new(),
                line: "",
                service: String::new(),
                newer: String::new(),
                other: String::new(),
            },
            bytes: 128_000_000,
            measured: Measured {
                cold,
                warm: cost(50, 20),
                line: cost(500, 20),
                used: 100,
                line_blocks,
                newer: swap,
                other: swap,
                copy: cost(25, 2),
            },
            peer: cost(2000, 10),
        }
    }

    #[test]
    fn figures_at_their_aims_meet_them() {
        let text = render(&[row(cost(1200, 256), 10, 17)], None, 5 << 20);
        assert_eq!(text.matches("| met |").count(), 5, "{text}");
        assert!(
            text.contains("0.60 × `gzip -dc \\| zstd -3` (2.000 CPU s)"),
            "{text}"
        );
        assert!(text.contains("not measured"), "{text}");
    }

    #[test]
    fn every_aim_can_be_missed() {
        let plans = Plans {
            idle: cost(400, 50),
            unchanged: cost(461, 50),
        };
        let rows = [row(cost(1201, 20), 11, 18), row(cost(10, 257), 1, 1)];
        let text = render(&rows, Some(&plans), 0);
        assert_eq!(text.matches("**missed**").count(), 6, "{text}");
        assert!(text.contains("61 ms over it"), "{text}");
    }
}

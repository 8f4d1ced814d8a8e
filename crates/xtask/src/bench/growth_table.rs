//! The growth as a Markdown table.

use super::child::Cost;
use super::grown::Growth;
use super::growth::Grown;
use super::table::{PEAK, WARM, cpu, mib, ratio};

const HEADER: &str = "| what | cold CPU s | peak MiB | warm CPU s | peak MiB | cold compared | \
    each further | aim | verdict |\n|---|---:|---:|---:|---:|---|---:|---|---|\n";

/// The second doubling may cost this much more than twice the first.
const LINEAR: f64 = 1.15;
/// What is measured is not finer than this, in seconds of processor time.
const FINENESS: f64 = 0.05;
/// Memory that a layer of four times the size may take on top.
const FLAT: u64 = 8 << 20;
/// Memory of one more file: its node in a tree.
const A_FILE: u64 = 2 << 10;

pub(super) fn render(rows: &[Grown]) -> String {
    let mut text = HEADER.to_owned();
    for growth in Growth::ALL {
        let rows: Vec<&Grown> = rows.iter().filter(|row| row.growth == growth).collect();
        for (at, row) in rows.iter().enumerate() {
            text += &match rows[..=at] {
                [first, middle, last] => line(
                    row,
                    Some(&Growing {
                        first,
                        middle,
                        last,
                    }),
                ),
                _ => line(row, None),
            };
        }
    }
    text
}

/// Three sizes of the same.
struct Growing<'a> {
    first: &'a Grown,
    middle: &'a Grown,
    last: &'a Grown,
}

impl Growing<'_> {
    /// Whether the second doubling costs twice the first: then nothing but the size counts.
    fn is_linear(&self) -> bool {
        let [first, middle, last] = [self.first, self.middle, self.last].map(|row| cpu(&row.cold));
        last - middle <= 2.0 * (middle - first) * LINEAR + FINENESS
    }

    /// Memory that the largest may take beyond the smallest.
    fn room(&self) -> u64 {
        match self.last.growth {
            Growth::Layer => FLAT,
            Growth::Files => A_FILE * (self.last.step - self.first.step) as u64,
        }
    }

    fn is_flat(&self) -> bool {
        let within = |of: fn(&Grown) -> Cost| {
            of(self.last).peak <= of(self.first).peak.saturating_add(self.room())
        };
        within(|row| row.cold) && within(|row| row.warm)
    }

    /// Processor time of 100 MB more, or of 1,000 files more.
    fn each(&self) -> String {
        let more = cpu(&self.last.cold) - cpu(&self.first.cold);
        let steps = (self.last.step - self.first.step) as f64;
        match self.last.growth {
            Growth::Layer => format!("{:.3} s per 100 MB", more / steps * 100.0),
            Growth::Files => format!("{:.3} s per 1,000 files", more / steps * 1000.0),
        }
    }
}

fn line(row: &Grown, growing: Option<&Growing<'_>>) -> String {
    let own = row.cold.peak <= PEAK && row.warm.peak <= PEAK && cpu(&row.warm) <= WARM;
    let (each, aim, met) = match growing {
        Some(growing) => {
            let memory = match growing.last.growth {
                Growth::Layer => "8 MiB over the first",
                Growth::Files => "2 KiB per file over the first",
            };
            (
                growing.each(),
                format!("linear within 15 %, memory within {memory}"),
                own && growing.is_linear() && growing.is_flat(),
            )
        }
        None => (
            String::new(),
            format!("warm ≤ {WARM} CPU s, ≤ {} MiB", PEAK >> 20),
            own,
        ),
    };
    format!(
        "| {}; {:.0} MB of layers | {:.3} | {} | {:.3} | {} | {} | {each} | {aim} | {} |\n",
        row.growth.shown(row.step),
        row.bytes as f64 / 1e6,
        cpu(&row.cold),
        mib(row.cold.peak),
        cpu(&row.warm),
        mib(row.warm.peak),
        ratio(&row.cold, &row.peer, "`gzip -dc \\| zstd -3`"),
        if met { "met" } else { "**missed**" },
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(growth: Growth, at: usize, millis: u64, mib: u64) -> Grown {
        let cost = |millis| Cost {
            cpu: Duration::from_millis(millis),
            wall: Duration::from_millis(millis),
            peak: mib << 20,
        };
        Grown {
            growth,
            step: growth.steps()[at],
            bytes: 100_000_000,
            cold: cost(millis),
            warm: cost(10),
            peer: cost(1000),
        }
    }

    fn rendered(growth: Growth, costs: [(u64, u64); 3]) -> String {
        let rows: Vec<Grown> = costs
            .into_iter()
            .enumerate()
            .map(|(at, (millis, mib))| row(growth, at, millis, mib))
            .collect();
        render(&rows)
    }

    #[test]
    fn a_fixed_cost_does_not_hide_growth() {
        let text = rendered(Growth::Layer, [(1500, 30), (2000, 30), (3000, 38)]);
        assert_eq!(text.matches("| met |").count(), 3, "{text}");
        assert!(text.contains("0.500 s per 100 MB"), "{text}");
        let text = rendered(Growth::Layer, [(1500, 30), (2000, 30), (3300, 30)]);
        assert_eq!(text.matches("**missed**").count(), 1, "{text}");
    }

    #[test]
    fn memory_may_grow_with_the_number_of_files_alone() {
        let costs = [(1000, 30), (1100, 40), (1300, 58)];
        assert!(!rendered(Growth::Files, costs).contains("missed"));
        assert!(rendered(Growth::Layer, costs).contains("missed"));
        let much = [(1000, 30), (1100, 40), (1300, 60)];
        assert!(rendered(Growth::Files, much).contains("missed"));
        let too_much = [(1000, 300), (1100, 300), (1300, 300)];
        assert_eq!(
            rendered(Growth::Files, too_much).matches("missed").count(),
            3
        );
    }
}

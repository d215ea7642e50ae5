//! Charts as SVG. The picture holds shapes only and stretches; axis labels and legends are HTML beside it, so that
//! they stay readable on a small screen. Colours are classes, so that the style knows the dark ones.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::words;
use crate::policy::{Frame, percent_at};

/// The picture's own units; it is stretched to the place that it gets.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

/// As many series as have a colour of their own; the others become one.
const SERIES: usize = 8;

/// A chart with what stands around it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chart {
    /// The picture.
    pub(super) svg: String,
    /// Labels of the vertical axis, from the top.
    pub(super) y: Vec<String>,
    /// Labels of the horizontal axis, from the left.
    pub(super) x: Vec<String>,
    /// What the colours mean.
    pub(super) legend: Vec<Legend>,
    /// Whether there is nothing to show.
    pub(super) empty: bool,
}

/// What a colour means.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Legend {
    class: String,
    label: String,
    total: String,
}

/// Columns over time, of numbers that add up.
pub(super) struct Columns<'a> {
    /// What the chart shows, for those who do not see it.
    pub(super) title: &'a str,
    /// The first moment.
    pub(super) from: Timestamp,
    /// Seconds from one column to the next.
    pub(super) step: u64,
    /// How many columns.
    pub(super) steps: usize,
    /// Names with a class of their own, in the order in which they pile up; others get the next free colour.
    pub(super) order: &'a dyn Fn(&str) -> (u64, Option<&'static str>),
}

impl Columns<'_> {
    /// Draws counts: when, what, how many.
    pub(super) fn draw(&self, counts: impl IntoIterator<Item = (Timestamp, String, u64)>) -> Chart {
        let series = self.pooled(self.collect(counts));
        let tops =
            (0..self.steps).map(|step| series.iter().map(|one| one.values[step]).sum::<u64>());
        let most = tops.max().unwrap_or(0);
        let scale = round_up(most);
        Chart {
            svg: self.svg(&series, scale),
            y: [scale, scale / 2, 0].map(words::count).to_vec(),
            x: self.labels(),
            legend: series.iter().rev().map(Series::legend).collect(),
            empty: most == 0,
        }
    }

    fn collect(&self, counts: impl IntoIterator<Item = (Timestamp, String, u64)>) -> Vec<Series> {
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (at, name, count) in counts {
            let offset = at.as_second() - self.from.as_second();
            let Ok(offset) = u64::try_from(offset) else { continue };
            let place = usize::try_from(offset / self.step.max(1)).unwrap_or(usize::MAX);
            let values = found.entry(name).or_insert_with(|| vec![0; self.steps]);
            if let Some(value) = values.get_mut(place) {
                *value += count;
            }
        }
        let mut series: Vec<Series> = found
            .into_iter()
            .map(|(name, values)| Series {
                total: values.iter().sum(),
                class: String::new(),
                name,
                values,
            })
            .filter(|series| series.total > 0)
            .collect();
        series.sort_by(|a, b| {
            (self.order)(&a.name).0.cmp(&(self.order)(&b.name).0).then_with(|| a.name.cmp(&b.name))
        });
        series
    }

    /// The largest series keep their names; the rest becomes one, at the bottom.
    fn pooled(&self, series: Vec<Series>) -> Vec<Series> {
        let mut totals: Vec<u64> = series.iter().map(|one| one.total).collect();
        totals.sort_unstable_by(|a, b| b.cmp(a));
        let least = if series.len() > SERIES { totals[SERIES - 1] } else { 0 };
        let mut kept = Vec::new();
        let mut rest = Series {
            name: "others".into(),
            class: "other".into(),
            total: 0,
            values: vec![0; self.steps],
        };
        for mut one in series {
            if one.total < least || kept.len() == SERIES {
                rest.add(&one);
                continue;
            }
            let class = (self.order)(&one.name).1;
            one.class = class.map_or_else(|| format!("c{}", kept.len()), str::to_owned);
            kept.push(one);
        }
        if rest.total > 0 {
            kept.insert(0, rest);
        }
        kept
    }

    fn svg(&self, series: &[Series], scale: u64) -> String {
        let mut parts = vec![open(self.title), grid()];
        let width = WIDTH / self.steps.max(1) as f64;
        for step in 0..self.steps {
            let mut below = 0u64;
            for one in series.iter().filter(|one| one.values[step] > 0) {
                let value = one.values[step];
                let height = value as f64 * HEIGHT / scale.max(1) as f64;
                let top = HEIGHT - (below + value) as f64 * HEIGHT / scale.max(1) as f64;
                let title = format!("{}: {}, {}", self.moment(step), one.name, words::count(value));
                parts.push(format!(
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}</title></rect>\n",
                    one.class,
                    step as f64 * width + width * 0.08,
                    width * 0.84,
                    escape(&title)
                ));
                below += value;
            }
        }
        parts.push("</svg>".to_owned());
        parts.concat()
    }

    fn moment(&self, step: usize) -> String {
        let seconds = i64::try_from(self.step * step as u64).unwrap_or(i64::MAX);
        let at = Timestamp::from_second(self.from.as_second().saturating_add(seconds))
            .unwrap_or(self.from);
        let form = if self.step >= 86_400 { "%b %d" } else { "%b %d %H:%M" };
        at.strftime(form).to_string()
    }

    fn labels(&self) -> Vec<String> {
        let last = self.steps.saturating_sub(1);
        [0, last / 2, last].map(|step| self.moment(step)).to_vec()
    }
}

struct Series {
    name: String,
    class: String,
    total: u64,
    values: Vec<u64>,
}

impl Series {
    fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.values.iter_mut().zip(&other.values).for_each(|(to, from)| *to += from);
    }

    fn legend(&self) -> Legend {
        Legend {
            class: self.class.clone(),
            label: self.name.clone(),
            total: words::count(self.total),
        }
    }
}

/// The share that a rollout's frames allow over time, and where it is now.
pub(super) fn frames(frames: &[Frame], elapsed: Option<u64>) -> Chart {
    let length = frames.iter().fold(0u64, |sum, frame| sum.saturating_add(frame.seconds));
    let line = line(frames, length.max(1));
    let mut parts = vec![
        open("Share of instances that may update, over the time of the rollout"),
        grid(),
        format!("<path class=\"area\" d=\"M0 {HEIGHT:.1} {line} L{WIDTH:.1} {HEIGHT:.1} Z\"/>\n"),
        format!("<path class=\"line\" d=\"M{}\"/>\n", line.trim_start_matches('L')),
    ];
    if let Some(elapsed) = elapsed {
        let x = WIDTH * (elapsed.min(length) as f64) / length.max(1) as f64;
        let (share, _) = percent_at(frames, elapsed);
        parts.push(format!(
            "<path class=\"now\" d=\"M{x:.1} 0 V{HEIGHT:.1}\"><title>now: {}</title></path>\n",
            words::percent(share)
        ));
    }
    parts.push("</svg>".to_owned());
    let x = [0, length / 2, length].map(super::time::short).to_vec();
    let y = ["100 %", "50 %", "0 %"].map(str::to_owned).to_vec();
    Chart { svg: parts.concat(), y, x, legend: Vec::new(), empty: frames.is_empty() }
}

/// The steps of a rollout. Of very many frames only as many are drawn as can be seen.
fn line(frames: &[Frame], length: u64) -> String {
    let every = frames.len().div_ceil(400).max(1);
    let mut begin = 0u64;
    let mut parts = Vec::new();
    for (place, frame) in frames.iter().enumerate() {
        let end = begin.saturating_add(frame.seconds);
        if place % every == 0 || place + 1 == frames.len() {
            let x = |at: u64| WIDTH * at as f64 / length as f64;
            let y = HEIGHT - HEIGHT * frame.percent.clamp(0.0, 100.0) / 100.0;
            parts.push(format!("L{:.1} {y:.1} L{:.1} {y:.1}", x(begin), x(end)));
        }
        begin = end;
    }
    parts.join(" ")
}

/// A bar for a part of a whole, for use in a table.
pub(super) fn bar(part: u64, whole: u64) -> String {
    let width = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    // Something is never drawn as nothing.
    let width = if part > 0 { width.max(1.0) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"6\"/><rect class=\"fill\" width=\"{width:.1}\" height=\"6\"/></svg>"
    )
}

fn open(title: &str) -> String {
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\n",
        escape(title)
    )
}

fn grid() -> String {
    let line = |y: f64| format!("<path class=\"grid\" d=\"M0 {y:.1} H{WIDTH:.1}\"/>\n");
    [0.0, HEIGHT / 2.0, HEIGHT].map(line).concat()
}

/// The next number of the form 1, 2, 5 or 10 times a power of ten, so that the axis has round labels; even, so that
/// its half is one too.
fn round_up(most: u64) -> u64 {
    let mut power = 2u64;
    loop {
        for factor in [1, 2, 5] {
            let candidate = power.saturating_mul(factor);
            if candidate >= most || candidate == u64::MAX {
                return candidate;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Text as it may stand in SVG, between tags and in quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(steps: usize) -> Columns<'static> {
        let from = "2026-11-25T00:00:00Z".parse().unwrap();
        Columns { title: "Checks by <version>", from, step: 3600, steps, order: &|_| (0, None) }
    }

    fn at(hour: i64) -> Timestamp {
        let from: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
        Timestamp::from_second(from.as_second() + hour * 3600).unwrap()
    }

    #[test]
    fn columns_pile_up() {
        let counts = [
            (at(0), "1.0.0".to_owned(), 3),
            (at(1), "1.0.0".to_owned(), 1),
            (at(1), "2.0.0 \"<&>\"".to_owned(), 4),
            (at(9), "3.0.0".to_owned(), 100),
            (at(-1), "3.0.0".to_owned(), 100),
        ];
        let chart = columns(2).draw(counts);
        insta::assert_snapshot!(chart.svg, @r#"
        <svg class="plot" viewBox="0 0 1000 200" preserveAspectRatio="none" role="img" aria-label="Checks by &lt;version&gt;">
        <path class="grid" d="M0 0.0 H1000.0"/>
        <path class="grid" d="M0 100.0 H1000.0"/>
        <path class="grid" d="M0 200.0 H1000.0"/>
        <rect class="c0" x="40.0" y="140.0" width="420.0" height="60.0"><title>Nov 25 00:00: 1.0.0, 3</title></rect>
        <rect class="c0" x="540.0" y="180.0" width="420.0" height="20.0"><title>Nov 25 01:00: 1.0.0, 1</title></rect>
        <rect class="c1" x="540.0" y="100.0" width="420.0" height="80.0"><title>Nov 25 01:00: 2.0.0 &quot;&lt;&amp;&gt;&quot;, 4</title></rect>
        </svg>
        "#);
        assert_eq!(chart.y, ["10", "5", "0"]);
        assert_eq!(chart.x, ["Nov 25 00:00", "Nov 25 00:00", "Nov 25 01:00"]);
        assert!(!chart.empty);
    }

    #[test]
    fn many_series_become_few() {
        let counts = (0u64..20).map(|n| (at(0), format!("{n:02}"), n + 1));
        let chart = columns(1).draw(counts);
        let legend: Vec<_> = chart
            .legend
            .iter()
            .map(|one| format!("{} {} {}", one.class, one.label, one.total))
            .collect();
        assert_eq!(
            legend,
            [
                "c7 19 20",
                "c6 18 19",
                "c5 17 18",
                "c4 16 17",
                "c3 15 16",
                "c2 14 15",
                "c1 13 14",
                "c0 12 13",
                "other others 78"
            ]
        );
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        let chart = columns(4).draw([]);
        assert!(chart.empty);
        assert_eq!(chart.y, ["2", "1", "0"]);
    }

    #[test]
    fn steps_of_a_rollout() {
        let rollout = [Frame { seconds: 60, percent: 10.0 }, Frame { seconds: 40, percent: 50.0 }];
        insta::assert_snapshot!(frames(&rollout, Some(75)).svg, @r#"
        <svg class="plot" viewBox="0 0 1000 200" preserveAspectRatio="none" role="img" aria-label="Share of instances that may update, over the time of the rollout">
        <path class="grid" d="M0 0.0 H1000.0"/>
        <path class="grid" d="M0 100.0 H1000.0"/>
        <path class="grid" d="M0 200.0 H1000.0"/>
        <path class="area" d="M0 200.0 L0.0 180.0 L600.0 180.0 L600.0 100.0 L1000.0 100.0 L1000.0 200.0 Z"/>
        <path class="line" d="M0.0 180.0 L600.0 180.0 L600.0 100.0 L1000.0 100.0"/>
        <path class="now" d="M750.0 0 V200.0"><title>now: 50 %</title></path>
        </svg>
        "#);
        let many: Vec<_> = (0..20_000).map(|_| Frame { seconds: 1, percent: 1.0 }).collect();
        assert!(frames(&many, None).svg.len() < 40_000);
    }

    #[test]
    fn scales_are_round() {
        for (most, expected) in [
            (0, 2),
            (2, 2),
            (3, 4),
            (5, 10),
            (11, 20),
            (21, 40),
            (99, 100),
            (101, 200),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(round_up(most), expected, "{most}");
        }
        assert!(bar(1, 100_000).contains("width=\"1.0\""));
        assert!(bar(0, 0).contains("width=\"0.0\""));
    }
}

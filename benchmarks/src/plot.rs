//! A plot of the comparison: one line for each case, one dot for each executor, from the fastest to the
//! right on a logarithmic axis.

use std::fmt::{self, Write};

use crate::case::Comparison;

const ROW: f64 = 16.0;
const LABELS: f64 = 190.0;
const WIDTH: f64 = 900.0;
const TOP: f64 = 60.0;

/// The right end of the axis, in multiples of the best time; what is slower stands at the edge.
const SLOWEST: f64 = 32.0;

/// Name, colour and radius of a dot, those on top last.
const OTHERS: (&str, &str, f64) = ("other libraries", "#9aa5b1", 3.0);
const SERIAL: (&str, &str, f64) = ("plain iterator", "#1f2933", 3.5);
const RAYON: (&str, &str, f64) = ("rayon", "#e07a1f", 4.0);
const UNSEEN: (&str, &str, f64) = ("Amorsize, never seen", "#8fd0c1", 4.0);
const OURS: (&str, &str, f64) = ("Amorsize, profiled", "#0f8a6d", 5.0);

/// The plot as an SVG document.
pub(crate) fn svg(cases: &[Comparison]) -> String {
    let mut text = String::new();
    write_svg(&mut text, cases).expect("a String takes all that is written to it");
    text
}

fn write_svg(out: &mut String, cases: &[Comparison]) -> fmt::Result {
    let height = TOP + ROW * cases.len() as f64 + 10.0;
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="11" fill="#1f2933">"##
    )?;
    writeln!(out, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##)?;
    legend(out)?;
    for factor in [1, 2, 4, 8, 16, 32] {
        let x = position(f64::from(factor));
        writeln!(
            out,
            r##"<path d="M{x:.1} {TOP} V{height:.1}" stroke="#e4e7eb"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{factor}×</text>"##,
            TOP - 8.0
        )?;
    }
    for (row, case) in cases.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let baseline = y + 4.0;
        writeln!(
            out,
            r#"<text x="{:.1}" y="{baseline:.1}" text-anchor="end">{}/{}</text>"#,
            LABELS - 10.0,
            case.workload,
            case.n
        )?;
        for other in &case.others {
            dot(out, y, other.time.median / case.best_ns, OTHERS, &other.name)?;
        }
        for (ns, kind) in [
            (case.serial.median, SERIAL),
            (case.rayon.median, RAYON),
            (case.amorsize_unseen.median, UNSEEN),
            (case.amorsize.median, OURS),
        ] {
            dot(out, y, ns / case.best_ns, kind, kind.0)?;
        }
    }
    writeln!(out, "</svg>")
}

fn legend(out: &mut String) -> fmt::Result {
    let mut x = LABELS;
    for (name, colour, radius) in [OURS, UNSEEN, RAYON, SERIAL, OTHERS] {
        writeln!(
            out,
            r#"<circle cx="{x:.1}" cy="16" r="{radius}" fill="{colour}"/><text x="{:.1}" y="20">{name}</text>"#,
            x + 9.0
        )?;
        x += 32.0 + 6.2 * name.len() as f64;
    }
    writeln!(
        out,
        r#"<text x="{:.1}" y="40" text-anchor="end">times the fastest:</text>"#,
        LABELS - 10.0
    )
}

fn dot(
    out: &mut String,
    y: f64,
    factor: f64,
    (_, colour, radius): (&str, &str, f64),
    name: &str,
) -> fmt::Result {
    let x = position(factor);
    writeln!(
        out,
        r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{colour}"><title>{name}: {factor:.2}×</title></circle>"#
    )
}

/// Where a multiple of the best time stands.
fn position(factor: f64) -> f64 {
    let share = factor.clamp(1.0, SLOWEST).log2() / SLOWEST.log2();
    LABELS + share * (WIDTH - LABELS - 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_stands_further_right_within_the_plot() {
        let at = [0.9, 1.0, 2.0, 30.0, 1e9].map(position);
        assert!(at.is_sorted() && at[0] == at[1] && at[4] < WIDTH);
    }
}

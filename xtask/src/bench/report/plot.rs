//! Plots as SVG.

use anyhow::{Result, anyhow};
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::statistics::{Figure, Interval, Ratio};
use super::palette::{Colour, GRID, INK};

/// Small, so that it fits a narrow screen at its own size and two stand side by side on a wide one.
const WIDTH: u32 = 460;
const HEIGHT: u32 = 320;
/// Of a row in a plot of ratios.
const ROW: u32 = 24;
/// Fewer rows are as high together: on a narrow screen a plot of one would be a stripe.
const FEW: u32 = 8;
/// Of the letters, in pixels.
const LETTERS: u32 = 13;
/// What figures on the left take of the width, and what the names of rows do.
const NUMBERS: u32 = 62;
const NAMES: u32 = 150;

/// A line through figures.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its line's.
    pub colour: Colour,
    /// What it was measured at, and the figure.
    pub points: Vec<(f64, Figure)>,
}

/// A row in a plot of ratios.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is compared.
    pub label: String,
    /// One or more ratios.
    pub ratios: Vec<(Colour, Ratio)>,
}

/// How a part of something falls.
#[derive(Clone, Debug)]
pub struct Tail {
    /// Its line's.
    pub colour: Colour,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Curves over a logarithmic axis, each point with the interval it lies in.
pub fn curves(x: &str, y: &str, curves: &[Curve]) -> Result<String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let at = Figure::of(&points().map(|(x, _)| *x).collect::<Vec<_>>());
    let at = at.ok_or_else(|| anyhow!("a plot of nothing"))?;
    let top = points().map(|(_, figure)| figure.max).fold(0.0, f64::max);
    draw(HEIGHT, |area| {
        let mut chart = builder(area, NUMBERS)
            .build_cartesian_2d((at.min / 1.3..at.max * 1.3).log_scale(), 0.0..top * 1.06)?;
        plain(&mut chart.configure_mesh())
            .disable_x_mesh()
            .x_desc(x)
            .y_desc(y)
            .x_label_formatter(&|x| count(*x))
            .y_label_formatter(&|y| count(*y))
            .draw()?;
        for Curve { colour, points } in curves {
            let style = colour.rgb().stroke_width(2);
            let line = points.iter().map(|(x, figure)| (*x, figure.median));
            chart.draw_series(LineSeries::new(line.clone(), style))?;
            chart.draw_series(line.map(|point| Circle::new(point, 3, colour.rgb().filled())))?;
            chart.draw_series(points.iter().map(|(x, Figure { min, median, max })| {
                ErrorBar::new_vertical(*x, *min, *median, *max, colour.rgb(), 5)
            }))?;
        }
        Ok(())
    })
}

/// Tails, both axes logarithmic.
pub fn tails(x: &str, y: &str, tails: &[Tail]) -> Result<String> {
    let figure = |of: fn(&(f64, f64)) -> f64| {
        let all: Vec<_> = tails.iter().flat_map(|tail| tail.points.iter().map(of)).collect();
        Figure::of(&all).ok_or_else(|| anyhow!("a plot of nothing"))
    };
    let (width, height) = (figure(|point| point.0)?, figure(|point| point.1)?);
    draw(HEIGHT, |area| {
        let across = (width.min.max(1e-3) / 1.3..width.max * 1.3).log_scale();
        let mut chart =
            builder(area, NUMBERS).build_cartesian_2d(across, (height.min / 1.5..1.0).log_scale())?;
        plain(&mut chart.configure_mesh())
            .x_desc(x)
            .y_desc(y)
            .x_label_formatter(&|x| count(*x))
            .y_label_formatter(&|y| format!("{y}"))
            .draw()?;
        for Tail { colour, points } in tails {
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.rgb().stroke_width(2)))?;
        }
        Ok(())
    })
}

/// Ratios to 1, a row each, every one with the interval it lies in.
pub fn ratios(x: &str, rows: &[Row]) -> Result<String> {
    let ratios = || rows.iter().flat_map(|row| &row.ratios);
    let end = |ratio: &Ratio| ratio.ends.map_or(ratio.median, |ends| ends.high);
    let right = ratios().map(|(_, ratio)| end(ratio)).fold(1.0, f64::max);
    let count = u32::try_from(rows.len())?;
    draw(60 + count.max(FEW) * ROW, |area| {
        let bottom = f64::from(count);
        let mut chart = builder(area, NAMES).build_cartesian_2d(0.0..right * 1.06, bottom..0.0)?;
        plain(&mut chart.configure_mesh())
            .disable_y_mesh()
            .x_desc(x)
            .x_label_formatter(&|x| format!("{x:.1}"))
            .y_labels(0)
            .draw()?;
        chart.draw_series([PathElement::new(vec![(1.0, 0.0), (1.0, bottom)], INK.rgb().stroke_width(2))])?;
        let left = letters().pos(Pos::new(HPos::Right, VPos::Center));
        for (row, Row { label, ratios }) in rows.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a few rows")]
            let middle = row as f64 + 0.5;
            chart.draw_series([
                EmptyElement::at((0.0, middle)) + Text::new(label.clone(), (-8, 0), left.clone())
            ])?;
            for (colour, Ratio { median, ends }) in ratios {
                chart.draw_series([Circle::new((*median, middle), 4, colour.rgb().filled())])?;
                chart.draw_series(ends.map(|Interval { low, high }| {
                    ErrorBar::new_horizontal(middle, low, *median, high, colour.rgb(), 8)
                }))?;
            }
        }
        Ok(())
    })
}

fn draw(height: u32, on: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        on(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// A chart with room for its axes, this much of it for the words on the left.
fn builder<'a, 'b>(area: &'a Area<'b>, left: u32) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart.margin(6).margin_right(16).x_label_area_size(44).y_label_area_size(left);
    chart
}

/// A mesh that leaves the eye to the figures.
fn plain<'m, 'a, 'b, X, Y, D>(mesh: &'m mut MeshStyle<'a, 'b, X, Y, D>) -> &'m mut MeshStyle<'a, 'b, X, Y, D>
where
    X: Ranged + ValueFormatter<X::ValueType>,
    Y: Ranged + ValueFormatter<Y::ValueType>,
    D: DrawingBackend,
{
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID.rgb())
        .axis_style(INK.rgb())
        .label_style(letters())
        .axis_desc_style(letters())
}

fn letters() -> TextStyle<'static> {
    ("sans-serif", LETTERS).into_font().color(&INK.rgb())
}

/// A round number as an axis has it: `10k`.
fn count(number: f64) -> String {
    match number {
        1e6.. => format!("{}M", number / 1e6),
        1e4.. => format!("{}k", number / 1e3),
        _ => format!("{number}"),
    }
}

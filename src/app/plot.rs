//! `ctp10 plot`: traces of files and runs as one picture.

mod curve;
mod source;

use std::path::Path;

use crate::analysis::extrema::Search;
use crate::analysis::request::{Request, Wanted};
use crate::cli::PlotArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::files;
use crate::picture::{Plot, Size, Theme};
use crate::store::write_pieces;
use crate::terminal::output::{errln, outln};
pub(super) use curve::overlay;
pub(super) use source::Source;

/// Figures that have a place on a trace.
const MARKED: [Wanted; 3] = [Wanted::Dips, Wanted::Peaks, Wanted::Resonances];

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

pub(super) fn plot(args: &PlotArgs, config: &Config) -> Result<(), Failure> {
    let format = format(&args.output)?;
    if files::is_taken(&args.output) && !args.force {
        return Err(usage(format!("`{}` exists", args.output.display())).hint("`--force` replaces it"));
    }
    let request = request(args)?;
    let (sources, title) = source::find(&args.what, &super::run_folders(args.out.clone(), config))?;
    let (mut plot, left_out) = overlay(&sources, args.column.as_deref(), &request)?;
    if left_out > 0 {
        errln!("traces that are left out, as they are outside the band or not in {}: {left_out}", plot.unit);
    }
    plot.title = args.title.clone().unwrap_or(title);
    let drawn = draw(&plot, format, args);
    let drawn = drawn.map_err(|error| usage(error.to_string()))?;
    write_pieces(&args.output, args.force, |out| out.write_all(&drawn))
        .map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))?;
    outln!("{}", args.output.display());
    Ok(())
}

fn draw(plot: &Plot, format: Format, args: &PlotArgs) -> Result<Vec<u8>, crate::picture::PictureError> {
    let size = Size { width: args.size.0, height: args.size.1 };
    let theme = if args.dark { Theme::Dark } else { Theme::Light };
    match format {
        Format::Svg => plot.svg(size, theme).map(String::into_bytes),
        Format::Png => plot.png(size, theme),
    }
}

fn usage(message: String) -> Failure {
    Failure::new(ExitCode::Usage, message)
}

fn format(output: &Path) -> Result<Format, Failure> {
    let suffix = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match suffix.as_str() {
        "svg" => Ok(Format::Svg),
        "png" => Ok(Format::Png),
        _ => Err(usage(format!("`{}` does not end with `.svg` or `.png`", output.display()))),
    }
}

fn request(args: &PlotArgs) -> Result<Request, Failure> {
    let wanted: Vec<Wanted> = args
        .figures
        .iter()
        .map(|figure| figure.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|error: crate::analysis::request::WantedError| usage(error.to_string()))?;
    if let Some(other) = wanted.iter().find(|wanted| !MARKED.contains(wanted)) {
        return Err(usage(format!(
            "`{other}` has no place on a trace: `dips`, `peaks` and `q` can be marked"
        )));
    }
    Ok(Request {
        wanted,
        band_nm: args.band,
        search: Search { prominence_db: args.prominence, distance_nm: args.distance },
        lines: args.lines.map(super::analyze::kind),
        ..Request::default()
    })
}

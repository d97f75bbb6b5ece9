//! `ctp10 plot`: traces of files and runs as one picture.

mod curve;
mod power;
mod source;

use std::path::Path;

use crate::analysis::extrema::Search;
use crate::analysis::request::{Request, Wanted};
use crate::cli::PlotArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::files;
use crate::picture::{Plot, Size, Theme};
use crate::store::{FoundRun, write_pieces};
use crate::terminal::output::{errln, outln};
use curve::overlay;
use source::{Shown, Source};

/// Figures that have a place on a trace.
const MARKED: [Wanted; 3] = [Wanted::Dips, Wanted::Peaks, Wanted::Resonances];

/// The size of a picture if nothing else is asked for, pixels.
const SIZE: Size = Size { width: 1200, height: 675 };

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

pub(super) fn plot(args: &PlotArgs, config: &Config) -> Result<(), Failure> {
    let picture = NewPicture::at(&args.output, args.force)?;
    let request = request(args)?;
    let (shown, title) = source::find(&args.what, &super::run_folders(args.out.clone(), config))?;
    let mut plot = match shown {
        Shown::Traces(sources) => {
            let (plot, left_out) = overlay(&sources, args.column.as_deref(), &request)?;
            if left_out > 0 {
                errln!(
                    "traces that are left out, as they are outside the band or not in {}: {left_out}",
                    plot.unit
                );
            }
            plot
        }
        Shown::Power(power) => {
            of_power_only(args)?;
            errln!("the run has no traces: the picture shows its recorded power");
            if power.left_out > 0 {
                errln!(
                    "detectors that are left out, as they are not in {}: {}",
                    power.plot.unit,
                    power.left_out
                );
            }
            power.plot
        }
    };
    plot.title = args.title.clone().unwrap_or(title);
    let size = Size { width: args.size.0, height: args.size.1 };
    let theme = if args.dark { Theme::Dark } else { Theme::Light };
    picture.write(&plot, size, theme)?;
    outln!("{}", args.output.display());
    Ok(())
}

/// Options of traces have no meaning for power.
fn of_power_only(args: &PlotArgs) -> Result<(), Failure> {
    let given = [
        ("--band", args.band.is_some()),
        ("--figures", !args.figures.is_empty()),
        ("--column", args.column.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            Err(usage(format!("`{option}` is for traces, and the run has recorded power only")))
        }
        None => Ok(()),
    }
}

/// A picture that does not exist yet, or that may be replaced.
pub(super) struct NewPicture<'a> {
    output: &'a Path,
    format: Format,
    replaces: bool,
}

impl<'a> NewPicture<'a> {
    /// Checks the name before anything is read.
    pub(super) fn at(output: &'a Path, replaces: bool) -> Result<Self, Failure> {
        let format = format(output)?;
        super::target::check(output, true)?;
        if files::is_taken(output) && !replaces {
            let hint = "`ctp10 plot --force` replaces a picture";
            return Err(usage(format!("`{}` exists", output.display())).hint(hint));
        }
        Ok(Self { output, format, replaces })
    }

    /// Draws all traces of these runs over each other.
    pub(super) fn overlay(&self, runs: &[&FoundRun]) -> Result<(), Failure> {
        let (plot, _) = overlay(&source::of_runs(runs)?, None, &Request::default())?;
        self.write(&plot, SIZE, Theme::Light)
    }

    fn write(&self, plot: &Plot, size: Size, theme: Theme) -> Result<(), Failure> {
        let drawn = match self.format {
            Format::Svg => plot.svg(size, theme).map(String::into_bytes),
            Format::Png => plot.png(size, theme),
        };
        let drawn = drawn.map_err(|error| usage(error.to_string()))?;
        write_pieces(self.output, self.replaces, |out| out.write_all(&drawn))
            .map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))
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

//! `ctp10 devices`: lists of devices from layout programs, and their coordinates on a stage.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::cli::{
    DevicesArgs, DevicesCommand, DevicesFormat, DuplicatesArg, ImportArgs, LengthUnit, ListOutputArgs,
    OrderArg, TransformArgs,
};
use crate::devices::fit::{Fit, FitError, Mark};
use crate::devices::list::PLACE;
use crate::devices::points::marks;
use crate::devices::{Choice, Chosen, DeviceList, Duplicates, Format, MOST_BYTES, Unit, order};
use crate::error::{ExitCode, Failure};
use crate::files;
use crate::recipe::read_table;
use crate::shown;
use crate::source::{Diagnostic, SourceFile, decode_data};
use crate::terminal;
use crate::terminal::output::{errln, out, outln};

/// The prefix of columns with stage coordinates.
const STAGE: &str = "stage_";
/// A scale that differs more than this from 1 is a warning.
const SCALE_TOLERANCE: f64 = 2e-3;

pub(super) fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    match &args.what {
        DevicesCommand::Import(args) => import(args),
        DevicesCommand::Transform(args) => transform(args),
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(ExitCode::Usage, message.into())
}

fn import(args: &ImportArgs) -> Result<(), Failure> {
    check_output(&args.output)?;
    let columns: Result<Vec<Choice>, String> = args.columns.iter().map(|text| text.parse()).collect();
    let chosen = Chosen {
        format: args.format.map(format),
        columns: columns.map_err(|why| usage(format!("--columns: {why}")))?,
        unit: args.unit.map(unit),
        duplicates: match args.duplicates {
            DuplicatesArg::Refuse => Duplicates::Refuse,
            DuplicatesArg::Number => Duplicates::Number,
        },
    };
    let imported = chosen.import(&read(&args.file)?).map_err(Failure::recipe)?;
    tell(&imported.findings);
    let count = imported.list.rows.len();
    errln!("{} from `{}` ({})", shown::counted(count, "device"), args.file.display(), imported.format.name());
    let columns = imported.columns.iter().map(|(column, path)| match column == path {
        true => column.clone(),
        false => format!("{column} ({path})"),
    });
    errln!("columns: {}", columns.collect::<Vec<_>>().join(", "));
    write(imported.list, PLACE, &args.output)
}

fn read(path: &Path) -> Result<Arc<SourceFile>, Failure> {
    let name = path.display().to_string();
    let bytes = files::read(path, MOST_BYTES);
    let bytes = bytes.map_err(|error| usage(format!("cannot read `{name}`: {error}")))?;
    let text = decode_data(bytes).map_err(|why| usage(format!("`{name}` {why}")))?;
    Ok(Arc::new(SourceFile { name, text }))
}

fn format(given: DevicesFormat) -> Format {
    match given {
        DevicesFormat::Csv => Format::Csv,
        DevicesFormat::Json => Format::Json,
        DevicesFormat::Yaml => Format::Yaml,
        DevicesFormat::SiepicText => Format::SiepicText,
        DevicesFormat::SiepicYaml => Format::SiepicYaml,
        DevicesFormat::Gdsfactory => Format::Gdsfactory,
    }
}

fn unit(given: LengthUnit) -> Unit {
    match given {
        LengthUnit::Nm => Unit::Nm,
        LengthUnit::Um => Unit::Um,
        LengthUnit::Mm => Unit::Mm,
    }
}

fn tell(findings: &[Diagnostic]) {
    for finding in findings {
        errln!("{}", finding.render(false));
    }
}

fn transform(args: &TransformArgs) -> Result<(), Failure> {
    check_output(&args.output)?;
    let table = read_table(&args.file).map_err(Failure::recipe)?;
    let mut list = DeviceList::of_table(&table).map_err(Failure::recipe)?;
    let marks = marks(&args.points, &list).map_err(Failure::recipe)?;
    let fit = Fit::of(&marks).map_err(|error| {
        let hint = match &error {
            FitError::TooFew(_) => {
                "measure the stage coordinates of more devices: `--points A=X,Y B=X,Y C=X,Y`"
            }
            FitError::Collinear { .. } => "choose points at three corners of the chip",
            FitError::Same { .. } => "each point must be another place",
            FitError::Scale(_) => "convert the coordinates of the points to µm",
        };
        usage(error.to_string()).hint(hint)
    })?;
    report(&marks, &fit);
    if fit.largest_um() > args.max_residual {
        let message = format!(
            "the largest residual is {:.1} µm, and `--max-residual` allows {} µm: nothing is written",
            fit.largest_um(),
            args.max_residual
        );
        return Err(Failure::new(ExitCode::Failed, message)
            .hint("check the coordinates of the points, and whether each one has the right name"));
    }
    let place = format!("{STAGE}{}", PLACE[0]);
    let stage = [place, format!("{STAGE}{}", PLACE[1])];
    for [x, y] in pairs(&list.columns) {
        let points: Vec<_> =
            list.points([&x, &y]).into_iter().map(|point| point.map(|point| fit.apply(point))).collect();
        list.set_points([&format!("{STAGE}{x}"), &format!("{STAGE}{y}")], &points);
    }
    write(list, [&stage[0], &stage[1]], &args.output)
}

/// The pairs of columns with chip coordinates: those of the devices and of their pads.
fn pairs(columns: &[String]) -> Vec<[String; 2]> {
    let pair = |x: &String| {
        let y = format!("{}y_um", x.strip_suffix("x_um")?);
        (!x.starts_with(STAGE) && columns.contains(&y)).then(|| [x.clone(), y])
    };
    columns.iter().filter_map(pair).collect()
}

/// Prints how the chip lies, and how well each point fits.
fn report(marks: &[Mark], fit: &Fit) {
    let mirrored = if fit.is_mirrored { "mirrored, then " } else { "" };
    errln!("chip to stage: {mirrored}rotated by {:.4}°", fit.angle_rad.to_degrees());
    errln!("scale {:.6} (reported only: lengths are not changed)", fit.scale);
    if (fit.scale - 1.0).abs() > SCALE_TOLERANCE {
        let found =
            Diagnostic::warning(format!("the scale differs from 1 by {:.2} %", (fit.scale - 1.0) * 1e2))
                .hint("a point may be wrong, or the axes of the stage may have another unit");
        errln!("{}", found.render(false));
    }
    let mut table = terminal::table(["point", "chip µm", "stage µm", "residual µm"]);
    for (mark, residual) in marks.iter().zip(&fit.residuals_um) {
        let point = |[x, y]: [f64; 2]| format!("{x}, {y}");
        table.add_row([
            mark.name.clone(),
            point(mark.chip_um),
            point(mark.stage_um),
            format!("{residual:.2}"),
        ]);
    }
    errln!("{table}");
}

/// Orders a list by its coordinates in two columns, and writes it.
fn write(mut list: DeviceList, names: [&str; 2], args: &ListOutputArgs) -> Result<(), Failure> {
    if args.order == OrderArg::Nearest {
        let places: Vec<_> = list.points(names).into_iter().flatten().collect();
        let found = order::nearest(&places);
        list.reorder(&found.order);
        errln!(
            "order: nearest; total travel {:.3} mm, as in the file {:.3} mm",
            found.after_um / 1e3,
            found.before_um / 1e3
        );
    }
    let text = list.to_csv();
    let Some(path) = &args.output else {
        out!("{text}");
        return Ok(());
    };
    let cannot = |error: std::io::Error| {
        Failure::new(ExitCode::Failed, format!("cannot write `{}`: {error}", path.display()))
    };
    replace(path, &text).map_err(cannot)?;
    outln!("{}", path.display());
    Ok(())
}

/// Writes a file completely before it gets its name, so that an interruption leaves no part of a list.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".devices").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path)?;
    Ok(())
}

fn check_output(args: &ListOutputArgs) -> Result<(), Failure> {
    args.output.as_deref().map_or(Ok(()), |path| super::target::check(path, args.force))
}
